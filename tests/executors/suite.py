"""What every executor does: an implementation inherits :class:`ExecutorSuite`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.errors import Busy
from app.executor import Executor

Make = Callable[[Callable[[str], None]], Executor]
PATIENCE = 30.0


class ExecutorSuite:
    """The tests of the contract.

    A subclass defines a fixture ``make``: it makes an executor of the function that executes one
    id, with room for at least three submissions.
    """

    def test_every_submission_is_executed_once(self, make: Make) -> None:
        """Each id that was handed over reaches the function, once, before close returns."""
        executed: list[str] = []
        executor = make(executed.append)
        for instance_id in ("a", "b", "c"):
            executor.reserve()
            executor.submit(instance_id)
        executor.close(PATIENCE)
        assert sorted(executed) == ["a", "b", "c"]

    def test_places_are_used_again(self, make: Make) -> None:
        """Cancelled reservations never fill the queue, and execute nothing."""
        executed: list[str] = []
        executor = make(executed.append)
        for _ in range(5000):
            executor.reserve()
            executor.cancel()
        executor.close(PATIENCE)
        assert executed == []

    def test_a_closed_executor_takes_nothing(self, make: Make) -> None:
        """After close there is no place, and closing again is harmless."""
        executor = make(lambda _: None)
        executor.close(PATIENCE)
        executor.close(PATIENCE)
        with pytest.raises(Busy, match="stopping"):
            executor.reserve()
