"""The running parts of one process: what is read at its start, watched, and closed at its end."""

from __future__ import annotations

import logging
import threading

from app.catalog import Catalog
from app.service import Service
from app.settings import Settings
from app.tokens import TokenRegistry
from app.watch import Watcher

DRAIN_SECONDS = 25.0
"""How long a stopping worker finishes accepted runs: less than gunicorn's graceful timeout."""


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
                self.tokens.load()
                self.catalog.refresh()
                self._watcher.start()
                self._started = True

    def close(self) -> None:
        """Finish what was accepted, as far as time allows, and let go of everything."""
        self._watcher.close()
        self.service.close(DRAIN_SECONDS)
