"""Ties the life of Celery's workers to ours."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from celery import Celery, signals

from app.errors import SiteswapError

_log = logging.getLogger(__name__)


class Hooks:
    """Calls ``check`` in a worker that starts, ``start`` and ``stop`` in each that executes.

    What they are connected to, only workers send: neither another command of Celery nor a server.
    """

    def __init__(
        self,
        celery: Celery,
        check: Callable[[], None],
        start: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        self._celery = celery
        self._check = check
        self._start = start
        self._stop = stop
        self._process: int | None = None

    def connect(self) -> None:
        signals.celeryd_init.connect(self._before_all, weak=False)
        signals.after_setup_logger.connect(self._leave_logging_to_celery, weak=False)
        # In a process of a prefork pool, and in a worker with a solo pool.
        signals.worker_process_init.connect(self._begin, weak=False)
        signals.worker_process_shutdown.connect(self._end, weak=False)
        # In a worker with a pool of threads or greenlets.
        signals.celeryd_after_setup.connect(self._begin_here, weak=False)
        signals.worker_shutdown.connect(self._end, weak=False)

    def _before_all(self, run: Any, **_: Any) -> None:
        if run.app is self._celery:
            try:
                self._check()
            except SiteswapError as error:
                sys.exit(str(error))

    def _leave_logging_to_celery(self, **_: Any) -> None:
        # It prints what reaches the root logger; ours would print the same lines once more.
        logging.getLogger(__name__.partition(".")[0]).handlers.clear()

    def _begin_here(self, run: Any, **_: Any) -> None:
        if not run.pool_cls.__module__.endswith(".prefork"):
            self._begin()

    def _begin(self, **_: Any) -> None:
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        try:
            self._start()
        except Exception:  # noqa: BLE001 - there is nobody above who would end the process
            # Celery would log it and go on, with a process that can execute nothing.
            _log.exception("the worker process could not start")
            sys.exit(1)

    def _end(self, **_: Any) -> None:
        if self._process == os.getpid():
            self._process = None
            self._stop()
