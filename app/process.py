"""The running parts of one process: read at its start, watched, and closed at its end."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from app.catalog.catalog import Catalog
from app.catalog.services import Services
from app.config.tokens import TokenRegistry
from app.database.named import NamedDatabases
from app.errors import Busy
from app.runs.failure_detector import LOOKS_PER_LEASE
from app.runs.reaper import Reaper
from app.runs.runner import Runner

INTERVAL = 1.0
"""Seconds between two calls of a poller."""


class Poller:
    """Calls functions one after another every ``interval`` seconds, in a thread of its own.

    It looks for changed files too: change notifications do not cross bind mounts and network file
    systems.
    """

    def __init__(
        self, *functions: Callable[[], object], log: logging.Logger, interval: float = INTERVAL
    ) -> None:
        self._functions = functions
        self._log = log
        self._interval = interval
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; later calls do nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="poller", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            for function in self._functions:
                try:
                    function()
                except Exception:  # noqa: BLE001 - the next call may go well
                    self._log.exception("a periodic task failed; it is called again")

    def close(self) -> None:
        """Stop, and wait for a call that is under way."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()


@dataclass(kw_only=True, eq=False)
class Siteswap:
    """The parts of one process, as ``app.extensions["siteswap"]``. Making them starts nothing."""

    catalog: Catalog
    services: Services
    databases: NamedDatabases
    tokens: TokenRegistry
    runner: Runner
    reaper: Reaper
    lease: float
    """Seconds, as in the settings."""
    new_owner: Callable[[], str]
    """Makes the name under which this process executes runs."""
    log: logging.Logger

    def __post_init__(self) -> None:
        refresh = (self.catalog.refresh, self.databases.refresh, self.tokens.refresh)
        self._pollers = (
            Poller(*refresh, log=self.log),
            Poller(self.reaper.reap, log=self.log, interval=self.lease / LOOKS_PER_LEASE),
            Poller(self.reaper.wake, log=self.log),
        )
        self._lock = threading.Lock()
        self._started = False

    def start(self) -> None:
        """Read flows and tokens, watch them, and begin to execute runs; later calls do nothing."""
        if self._started:
            return
        with self._lock:
            if not self._started:
                # Not load(): a tokens file that broke since the server started ends no worker.
                self.tokens.refresh()
                self.catalog.refresh()
                self.databases.prepare()
                self._join()
                for poller in self._pollers:
                    poller.start()
                # What was read stays as long as the process: garbage collection need not walk it.
                gc.freeze()
                self._started = True

    def _join(self) -> None:
        """Become one of the processes that execute runs."""
        _ = self.runner.store
        self.runner.owner = self.new_owner()
        self.runner.announce = self.reaper.announce
        try:
            self.reaper.announce()
        except Busy as error:
            self.log.warning("no run is accepted before the store answers: %s", error.public)

    def close(self, timeout: float) -> None:
        """Finish what is under way for up to ``timeout`` seconds, then close everything."""
        watcher, *others = self._pollers
        watcher.close()
        self.runner.close(timeout)
        self.databases.close()
        self.runner.interpreter.close()
        if self._started:
            for poller in others:
                poller.close()
            self.reaper.retire()
        self.runner.close_store()
        # At its end the interpreter collects what is left; what is frozen would outlive gevent.
        gc.unfreeze()
