"""The running parts of one process: what is read at its start, watched, and closed at its end."""

from __future__ import annotations

import gc
import logging
import threading

from app.catalog import Catalog
from app.service import Service
from app.settings import Settings
from app.tokens import TokenRegistry
from app.watch import Watcher


class Siteswap:
    """The running parts of one process, as ``app.extensions["siteswap"]``.

    Making the application starts nothing; ``start`` reads flows and tokens and watches them.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        tokens: TokenRegistry,
        service: Service,
        log: logging.Logger,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.tokens = tokens
        self.service = service
        self._watcher = Watcher([catalog.refresh, tokens.refresh], log)
        self._lock = threading.Lock()
        self._started = False

    def start(self) -> None:
        """Read everything and begin to watch; later calls do nothing."""
        if self._started:
            return
        with self._lock:
            if not self._started:
                # What is read here stays as long as the process, and holds no cycles: garbage
                # collection need not walk it while it grows, nor ever again.
                gc.disable()
                # Not load(): a tokens file that was broken since the boot must not end a worker.
                self.tokens.refresh()
                self.catalog.refresh()
                _ = self.service.store
                self._watcher.start()
                gc.freeze()
                gc.enable()
                self._started = True

    def close(self, timeout: float) -> None:
        """Finish accepted runs for up to ``timeout`` seconds, and let go of everything."""
        self._watcher.close()
        self.service.close(timeout)
        # At its end the interpreter collects what is left; what is frozen would outlive gevent.
        gc.unfreeze()
