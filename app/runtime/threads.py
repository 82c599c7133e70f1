"""Threads for the branches of runs: bounded for the whole process, and never waited for.

The thread that has work does a part of it itself. Where no other thread is free, it does all of it,
one piece after the other, so nested work cannot deadlock.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator

Task = Callable[[], None]
"""Something to do. It raises nothing."""


class ThreadPool:
    """Up to ``most`` threads (greenlets, where gevent has patched ``threading``) at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = most
        self._lock = threading.Lock()

    def start(self, task: Task) -> threading.Thread | None:
        """Do something on a thread of its own, or return ``None`` where none is free."""
        with self._lock:
            if not self._free:
                return None
            self._free -= 1
        # Context variables do not follow into a new thread by themselves.
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=lambda: context.run(self._do, task), name="branch", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system has no more
            self._give_back()
            return None
        return thread

    def work_off(self, tasks: Iterator[Task], width: int) -> None:
        """Do all of these, up to ``width`` at once, one of them here; return when all are done."""
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    task = next(tasks, None)
                if task is None:
                    return
                task()

        others = [self.start(work) for _ in range(width - 1)]
        work()
        for thread in others:
            if thread is not None:
                thread.join()

    def _do(self, task: Task) -> None:
        try:
            task()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        with self._lock:
            self._free += 1
