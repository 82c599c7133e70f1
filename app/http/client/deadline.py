"""The moment at which an exchange must have ended, whatever the peer does meanwhile."""

from __future__ import annotations

from collections.abc import Callable


class Deadline:
    """Counts down from a number of seconds, by a clock that counts seconds."""

    __slots__ = ("_clock", "_end", "seconds")

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds that are left, always more than none.

        Raises:
            TimeoutError: the moment has come.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError
        return left
