"""Limits on how much happens at once; those who wait come in their order.

Locks are made by their first use, so nothing here crosses a fork; under gevent's monkey patch they
are gevent's.
"""

from __future__ import annotations

import threading
from collections import deque


class ConcurrencyLimiter:
    """Lets up to a limit of callers in; the others wait in the order in which they came.

    Each caller names the limit; a new one is used from the next call on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit = 0
        self._waiting: deque[threading.Event] = deque()

    def enter(self, limit: int, seconds: float) -> bool:
        """Go in, after a wait of up to ``seconds``; whether there was room in that time."""
        turn = self._ask(limit)
        if turn is None:
            return True
        try:
            turn.wait(seconds)
        except BaseException:
            # A caller that is stopped while it waits must not keep a place that just became free.
            if self._withdraw(turn):
                self.leave()
            raise
        return self._withdraw(turn)

    def leave(self) -> None:
        """Go out, and let the next one in."""
        with self._lock:
            self._inside -= 1
            self._admit()

    def _ask(self, limit: int) -> threading.Event | None:
        """``None`` for who may go in at once; else what is set once it is the caller's turn."""
        with self._lock:
            self._limit = limit
            if self._inside < limit and not self._waiting:
                self._inside += 1
                return None
            turn = threading.Event()
            self._waiting.append(turn)
            self._admit()
            return turn

    def _admit(self) -> None:
        while self._waiting and self._inside < self._limit:
            self._inside += 1
            self._waiting.popleft().set()

    def _withdraw(self, turn: threading.Event) -> bool:
        """Leave the line; whether the turn had come."""
        with self._lock:
            if not turn.is_set():
                self._waiting.remove(turn)
            return turn.is_set()


class ConcurrencyLimiters:
    """A limiter for each name that is asked for."""

    def __init__(self) -> None:
        self._gates: dict[str, ConcurrencyLimiter] = {}

    def __getitem__(self, name: str) -> ConcurrencyLimiter:
        # One that another thread has made meanwhile wins.
        return self._gates.get(name) or self._gates.setdefault(name, ConcurrencyLimiter())
