"""An executor whose queue is a message broker, and whose workers are Celery's, on any machine.

A message carries the id of a run and nothing else. A worker that gets it claims the run in the
store, and one claim wins: so a message may come twice, late, or not at all. The reaper sends again
what was lost. Celery only carries ids: no results, no retries.

How many runs of one flow are under way at once, Celery does not know: a flow's ``concurrency`` does
not limit it. Each worker process executes one run at a time, or as many as its pool has threads.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery, bootsteps, signals

from app.errors import Busy, SiteswapError
from app.runs.executor import Lane
from app.runs.executors.celery_broker import QUEUE, TASK, Broker, is_redis

DEPTH_AGE = 0.5
"""Seconds for which an answer about the queue's length is good enough."""


def make_celery(
    broker_url: str,
    execute: Callable[[str], Any],
    on_worker_start: Callable[[], None],
    on_worker_stop: Callable[[], None],
    *,
    check: Callable[[], None],
) -> Celery:
    """The Celery application. Its one task calls ``execute`` with the id of a run.

    ``on_worker_start`` and ``on_worker_stop`` are called once in each process that executes: after
    the fork in a prefork pool, otherwise in the worker itself. ``check`` is called by the worker
    before anything else, and may refuse the start with a :class:`SiteswapError`.
    """
    celery = Celery(QUEUE, broker=broker_url, set_as_current=False, fixups=[])
    celery.conf.update(_configuration(broker_url))

    def siteswap_execute(run_id: str) -> None:
        execute(run_id)

    celery.task(siteswap_execute, name=TASK)
    celery.steps["consumer"].add(_ForgetMessages)
    Hooks(celery, check, on_worker_start, on_worker_stop).connect()
    return celery


class _ForgetMessages(bootsteps.StartStopStep):  # type: ignore[misc]
    """A worker that lost its broker does not put back the messages of the runs under way.

    It could not, and would write them to a file instead; the store has these runs.
    """

    requires = ("celery.worker.consumer:Tasks",)

    def start(self, consumer: Any) -> None:
        """Called for each new connection."""
        consumer.connection.default_channel.do_restore = False


class CeleryExecutor:
    """Sends ids to a broker; up to about ``queue_size`` may wait there.

    When the broker is down, one caller waits for the timeout, and for a pause no other one does.
    Runs are accepted meanwhile: the store has them, and the reaper sends their messages later.
    """

    keeps_queue = False

    def __init__(
        self,
        celery: Celery,
        *,
        queue_size: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.celery = celery
        self._queue_size = queue_size
        self._monotonic = monotonic
        self._broker = Broker(celery, monotonic)
        self._lock = threading.Lock()
        self._depth = 0
        self._asked_at = float("-inf")
        self._closed = False

    def reserve(self, lane: str = "") -> None:
        if self._closed:
            raise Busy("this process is stopping")
        if self._is_stale():
            self._ask()
        with self._lock:
            # While the broker is down no run is refused: the store has them.
            if self._depth >= self._queue_size and not self._broker.is_down:
                raise Busy(f"{self._depth} runs wait for a worker")
            self._depth += 1

    def submit(self, run_id: str, lane: Lane, *, first: bool = False) -> None:
        self._broker.send(run_id, first=first)

    def cancel(self) -> None:
        with self._lock:
            self._depth -= 1

    def lost(self, instance_ids: Sequence[str]) -> Sequence[str]:
        """All of them, if the queue has less than half as many messages; otherwise none.

        A broker does not say which messages wait. Far fewer messages than runs means that some were
        lost. One too many does no harm: its run is claimed already.
        """
        depth = self._broker.depth()
        return instance_ids if depth is not None and depth * 2 < len(instance_ids) else ()

    def close(self, timeout: float) -> bool:
        self._closed = True
        self._broker.close()
        return True

    def _is_stale(self) -> bool:
        """Whether it is this caller's turn to ask; the others go by the former answer."""
        with self._lock:
            now = self._monotonic()
            is_stale = now - self._asked_at >= DEPTH_AGE
            if is_stale:
                self._asked_at = now
            return is_stale

    def _ask(self) -> None:
        depth = self._broker.depth()
        with self._lock:
            self._depth = depth or 0


def _configuration(broker_url: str) -> dict[str, Any]:
    return {
        "task_default_queue": QUEUE,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        # A message is done with when its run has ended. One that comes again is harmless.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        # After a lost connection the runs go on: the store has them, wherever the messages are.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_enable_prefetch_count_reduction": False,
        # To read all flows takes longer than the four seconds that Celery gives a new process.
        "worker_proc_alive_timeout": 60.0,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": _transport_options(broker_url),
    }


def _transport_options(broker_url: str) -> dict[str, Any]:
    """For the connections of a worker, which wait for messages without an end."""
    if not is_redis(broker_url):
        return {}
    return {
        # The store knows which run ended. And kombu's own record of messages, which is in Redis,
        # ends a worker that loses Redis while a run is under way.
        "ack_emulation": False,
        "socket_connect_timeout": 5.0,
        "socket_keepalive": True,
    }


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

    def _before_all(self, instance: Any, **_: Any) -> None:
        if instance.app is self._celery:
            try:
                self._check()
            except SiteswapError as error:
                sys.exit(str(error))

    def _leave_logging_to_celery(self, **_: Any) -> None:
        # It prints what reaches the root logger; ours would print the same lines once more.
        logging.getLogger(__name__.partition(".")[0]).handlers.clear()

    def _begin_here(self, instance: Any, **_: Any) -> None:
        if not instance.pool_cls.__module__.endswith(".prefork"):
            self._begin()

    def _begin(self, **_: Any) -> None:
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        try:
            self._start()
        except Exception:  # noqa: BLE001 - no caller is there to end the process
            # Celery would log it and go on, with a process that can execute nothing.
            _log.exception("the worker process could not start")
            sys.exit(1)

    def _end(self, **_: Any) -> None:
        if self._process == os.getpid():
            self._process = None
            self._stop()
