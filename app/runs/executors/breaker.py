"""A circuit breaker: once something has failed, nobody tries it for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Breaker:
    """Admits those who want to try something; after a failure, one of them per ``pause`` seconds.

    Who was admitted says how it went, or nothing if it never tried.
    """

    def __init__(self, pause: float, monotonic: Callable[[], float]) -> None:
        self._pause = pause
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failed_at: float | None = None
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether it failed, and has not worked since."""
        return self._failed_at is not None

    def admit(self) -> int | None:
        """A ticket, or ``None`` during the pause. Who gets one after it tries for all others."""
        with self._lock:
            now = self._monotonic()
            if self._failed_at is not None:
                if now - self._failed_at < self._pause:
                    return None
                self._failed_at = now
            return self._failures

    def is_valid(self, ticket: int) -> bool:
        """Whether nothing has failed since this ticket was given."""
        return ticket == self._failures

    def fail(self) -> bool:
        """It did not work: the pause begins. Returns whether it had worked before."""
        with self._lock:
            is_first = self._failed_at is None
            self._failed_at = self._monotonic()
            self._failures += 1
            return is_first

    def succeed(self) -> bool:
        """It worked: everybody is admitted. Returns whether it had failed before."""
        with self._lock:
            had_failed = self._failed_at is not None
            self._failed_at = None
            return had_failed
