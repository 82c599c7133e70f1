"""What every executor does: an implementation inherits :class:`ExecutorSuite`."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from app.errors import Busy
from app.runs.executor import Executor, Lane

Make = Callable[[Callable[[str], None]], Executor]
PATIENCE = 30.0
LANE = Lane("flow/v1", 100)


class Executed:
    """Remembers what was executed, and waits for it."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, run_id: str) -> None:
        with self._changed:
            self.ids.append(run_id)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[str]:
        """The ids, once there are this many of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ids) >= count, PATIENCE), self.ids
            return list(self.ids)


class ExecutorSuite:
    """The tests of the contract.

    A subclass defines a fixture ``make``: it makes an executor of the function that executes one
    id, with room for at least three submissions.
    """

    def test_every_submission_is_executed_once(self, make: Make) -> None:
        """Each id that was handed over reaches the function, once."""
        executed = Executed()
        executor = make(executed)
        for run_id in ("a", "b", "c"):
            executor.reserve()
            executor.submit(run_id, LANE)
        assert sorted(executed.wait_for(3)) == ["a", "b", "c"]
        assert executor.close(PATIENCE)
        assert sorted(executed.ids) == ["a", "b", "c"]

    def test_places_are_used_again(self, make: Make) -> None:
        """Cancelled reservations never fill the queue, and execute nothing."""
        executed = Executed()
        executor = make(executed)
        for _ in range(5000):
            executor.reserve()
            executor.cancel()
        executor.close(PATIENCE)
        assert executed.ids == []

    def test_a_closed_executor_takes_nothing(self, make: Make) -> None:
        """After close there is no place, and closing again is harmless."""
        executor = make(lambda _: None)
        assert executor.close(PATIENCE)
        assert executor.close(PATIENCE)
        with pytest.raises(Busy, match="stopping"):
            executor.reserve()
