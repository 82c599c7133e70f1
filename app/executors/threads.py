"""The executor of one process: a bounded queue and a fixed number of threads.

Not ``concurrent.futures``: its queue has no bound, its shutdown no timeout, and at exit it joins
its threads however long they take.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from app.errors import Busy

_log = logging.getLogger(__name__)


class ThreadsExecutor:
    """Runs up to ``threads`` instances at once while up to ``queue_size`` others wait.

    Threads (greenlets, where gevent has patched ``threading``) start with the first submissions,
    so one may be made before a fork. What is still queued when ``close`` runs out of time is not
    executed; it stays ``INIT`` in the store.
    """

    def __init__(self, execute: Callable[[str], None], *, threads: int, queue_size: int) -> None:
        self._execute = execute
        self._max_threads = threads
        self._capacity = threads + queue_size
        self._taken = 0
        self._closed = False
        self._changed = threading.Condition()
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def reserve(self) -> None:
        with self._changed:
            if self._closed:
                raise Busy("this process is stopping")
            if self._taken == self._capacity:
                raise Busy(f"{self._capacity} runs are queued or under way")
            self._taken += 1

    def submit(self, instance_id: str) -> None:
        self._queue.put(instance_id)
        with self._changed:
            if len(self._threads) < self._max_threads:
                self._start_thread()

    def cancel(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def close(self, timeout: float) -> None:
        with self._changed:
            self._closed = True
            is_idle = self._changed.wait_for(lambda: self._taken == 0, timeout)
        if not is_idle:
            _log.warning("stopping with %d runs queued or under way", self._taken)
            self._drop_queue()
        for _ in self._threads:
            self._queue.put(None)
        if is_idle:
            for thread in self._threads:
                thread.join()

    def _start_thread(self) -> None:
        # A daemon, so that a run which outlives the timeout of close() cannot hold up the exit.
        thread = threading.Thread(target=self._work, name="executor", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (instance_id := self._queue.get()) is not None:
            self._run(instance_id)

    def _run(self, instance_id: str) -> None:
        try:
            self._execute(instance_id)
        except Exception:  # noqa: BLE001 - nobody above hears of it, and the thread must live on
            _log.exception("the execution of %s ended in a bug", instance_id)
        finally:
            self.cancel()

    def _drop_queue(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
