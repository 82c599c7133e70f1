"""The Executor contract: where accepted runs are executed. It gets ids of runs and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lane:
    """Runs that share one limit: at most ``limit`` of the same ``key`` are under way at once."""

    key: str
    limit: int


class Executor(Protocol):
    """Runs instances later, elsewhere. Made with the function that executes one id."""

    keeps_queue: bool
    """Whether what is queued is gone with this process (or else a broker has it)."""

    def reserve(self, lane: str = "") -> None:
        """Take a place in the queue for one submission to come.

        Called before the run is stored, so that a run which was accepted always has
        a place. Every successful call is followed by exactly one ``submit`` or ``cancel``. ``lane``
        is the key of the lane of a new run: where the queue knows lanes, one that has many waiting
        leaves places for the others.

        Raises:
            Busy: the queue is full, or as full as this lane may make it.
        """

    def submit(self, run_id: str, lane: Lane, *, first: bool = False) -> None:
        """Hand over a run that is committed in the store; uses up one reservation.

        ``first`` is for a run that has begun before, whose time is passing: it goes before those of
        its lane that have not, where the queue can do that.

        It never fails for want of a broker: what could not be sent is found by :meth:`lost`.
        """

    def cancel(self) -> None:
        """Give a reservation back: the run could not be stored."""

    def lost(self, instance_ids: Sequence[str]) -> Sequence[str]:
        """Those of these queued instances that will not be executed unless submitted again."""

    def close(self, timeout: float) -> bool:
        """Begin nothing more, and wait up to ``timeout`` seconds for what is under way.

        What is queued stays queued in the store. Returns whether nothing is under way any more;
        may be called again.
        """
