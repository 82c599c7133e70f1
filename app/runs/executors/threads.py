"""The executor of one process: a bounded queue and a fixed number of threads.

Not ``concurrent.futures``: its queue has no bound, its shutdown no timeout, and at exit it joins
its threads however long they take.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.errors import Busy
from app.runs.executor import Lane

_log = logging.getLogger(__name__)

SHARE = 3
"""How many of one lane may wait for each place that is free."""


@dataclass(slots=True)
class _Waiting:
    """The queue of one lane, and how many of it are under way."""

    lane: Lane
    ids: deque[str] = field(default_factory=deque)
    under_way: int = 0

    @property
    def has_turn(self) -> bool:
        return bool(self.ids) and self.under_way < self.lane.limit

    @property
    def is_idle(self) -> bool:
        return not self.ids and not self.under_way


class ThreadsExecutor:
    """Runs up to ``threads`` instances at once while up to ``queue_size`` others wait.

    The lanes take turns, so that a flow with many runs does not keep the others waiting. Threads
    (greenlets, where gevent has patched ``threading``) start with the first submissions, so one may
    be made before a fork.
    """

    keeps_queue = True

    def __init__(self, execute: Callable[[str], None], *, threads: int, queue_size: int) -> None:
        self._execute = execute
        self._max_threads = threads
        self._capacity = threads + queue_size
        self._taken = 0
        self._closed = False
        self._changed = threading.Condition()
        self._lanes: OrderedDict[str, _Waiting] = OrderedDict()
        self._ids: set[str] = set()
        self._under_way = 0
        self._threads: list[threading.Thread] = []

    def reserve(self, lane: str = "") -> None:
        with self._changed:
            if self._closed:
                raise Busy("this process is stopping")
            if self._taken >= self._capacity:
                raise Busy(f"{self._capacity} runs are queued or under way")
            if self._takes_too_much(lane):
                raise Busy("as many runs of this flow wait as may wait of one")
            self._taken += 1

    def _takes_too_much(self, lane: str) -> bool:
        """Whether a lane has as many waiting as leaves room for others.

        The more is free, the more one may take: alone three quarters of the queue, two of them
        three sevenths each. So there is always a place for a lane that has none yet.
        """
        waiting = self._lanes.get(lane)
        free = self._capacity - self._taken
        return waiting is not None and len(waiting.ids) >= SHARE * free

    def submit(self, run_id: str, lane: Lane, *, first: bool = False) -> None:
        with self._changed:
            if self._closed or run_id in self._ids:
                self._taken -= 1
                return
            self._ids.add(run_id)
            waiting = self._lanes.setdefault(lane.key, _Waiting(lane))
            waiting.lane = lane
            waiting.ids.appendleft(run_id) if first else waiting.ids.append(run_id)
            if len(self._threads) < min(len(self._ids), self._max_threads):
                self._start_thread()
            self._changed.notify()

    def cancel(self) -> None:
        with self._changed:
            self._taken -= 1

    def lost(self, instance_ids: Sequence[str]) -> Sequence[str]:
        with self._changed:
            return [each for each in instance_ids if each not in self._ids]

    def close(self, timeout: float) -> bool:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            is_idle = self._changed.wait_for(lambda: self._under_way == 0, timeout)
        for thread in self._threads if is_idle else ():
            thread.join()
        return is_idle

    def _start_thread(self) -> None:
        # A daemon, so that a run which outlives the timeout of close() cannot hold up the exit.
        thread = threading.Thread(target=self._work, name="executor", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            self._run(*job)

    def _next_job(self) -> tuple[_Waiting, str] | None:
        """Wait for a run whose lane has its turn; nothing means that the executor is closed."""
        with self._changed:
            while not self._closed:
                if turn := next((each for each in self._lanes.values() if each.has_turn), None):
                    self._lanes.move_to_end(turn.lane.key)
                    turn.under_way += 1
                    self._under_way += 1
                    return turn, turn.ids.popleft()
                self._changed.wait()
            return None

    def _run(self, waiting: _Waiting, run_id: str) -> None:
        try:
            self._execute(run_id)
        except Exception:  # noqa: BLE001 - no caller is there to be told, and the thread must go on
            _log.exception("the execution of %s did not come to its end", run_id)
        finally:
            self._ended(waiting, run_id)

    def _ended(self, waiting: _Waiting, run_id: str) -> None:
        with self._changed:
            self._ids.discard(run_id)
            waiting.under_way -= 1
            self._under_way -= 1
            self._taken -= 1
            if waiting.is_idle:
                self._lanes.pop(waiting.lane.key, None)
            # One place is free, and a lane that was full may have its turn now.
            self._changed.notify_all() if self._closed else self._changed.notify()
