"""The running parts of one process: what is read at its start, watched, and closed at its end."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable

from app.catalog.catalog import Catalog
from app.catalog.services import Services
from app.config.settings import Settings
from app.config.tokens import TokenRegistry
from app.database.named import NamedDatabases
from app.errors import Busy
from app.poller import Poller
from app.runs.failure_detector import LOOKS_PER_LEASE
from app.runs.reaper import Reaper
from app.runs.runner import Runner


class Siteswap:
    """The running parts of one process, as ``app.extensions["siteswap"]``.

    Making the application starts nothing; ``start`` reads flows and tokens and watches them, and
    makes this process one that executes runs, by the name ``new_owner`` gives it.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        services: Services,
        databases: NamedDatabases,
        tokens: TokenRegistry,
        runner: Runner,
        reaper: Reaper,
        new_owner: Callable[[], str],
        log: logging.Logger,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.services = services
        self.databases = databases
        self.tokens = tokens
        self.runner = runner
        self.reaper = reaper
        self._new_owner = new_owner
        self._log = log
        self._watcher = Poller([catalog.refresh, databases.refresh, tokens.refresh], log)
        self._sweeps = Poller([reaper.reap], log, settings.lease / LOOKS_PER_LEASE)
        self._alarm = Poller([reaper.wake], log)
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
                self.databases.prepare()
                self._begin_to_execute()
                self._watcher.start()
                gc.freeze()
                gc.enable()
                self._started = True

    def _begin_to_execute(self) -> None:
        _ = self.runner.store
        self.runner.owner = self._new_owner()
        self.runner.announce = self.reaper.announce
        try:
            self.reaper.announce()
        except Busy as error:
            self._log.warning("no run is accepted before the store answers: %s", error.public)
        self._sweeps.start()
        self._alarm.start()

    def close(self, timeout: float) -> None:
        """Finish what is under way for up to ``timeout`` seconds, and let go of everything."""
        self._watcher.close()
        self.runner.close(timeout)
        self.databases.close()
        self.runner.interpreter.close()
        if self._started:
            self._sweeps.close()
            self._alarm.close()
            self.reaper.retire()
        self.runner.close_store()
        # At its end the interpreter collects what is left; what is frozen would outlive gevent.
        gc.unfreeze()
