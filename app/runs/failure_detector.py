"""Who is alive: each process gives signs of life, and watches those of the others.

No wall clock takes part, as wall clocks jump. A sign of life is a number that grows; an owner whose
number stood still for the whole lease, on the monotonic clock of whoever watched it, is gone. Only
time spent watching counts: a watcher that could not look for a while (the store was locked, the
machine was suspended) knows nothing of that while, and begins anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

LOOKS_PER_LEASE = 6
"""How often an owner gives a sign of life, and looks for those of others, within one lease."""


def new_owner(host: str, pid: int, token: str) -> str:
    """A name for a process that no other has: people read where it runs, the token tells apart."""
    return f"{host}/{pid}/{token}"


_PARKED = "until/"


def suspended_owner(until: float) -> str:
    """The owner of a run that waits for a time, in seconds since the epoch, in nobody's hands."""
    return f"{_PARKED}{math.ceil(until)}"


def suspended_until(owner: str) -> float | None:
    """The time that a run with this owner waits for; ``None`` if the owner is no time."""
    return float(owner.removeprefix(_PARKED)) if owner.startswith(_PARKED) else None


class FailureDetector:
    """Tells from what it is shown which owners are gone; ``lease`` is in seconds."""

    def __init__(self, lease: float, monotonic: Callable[[], float]) -> None:
        self._lease = lease
        self._monotonic = monotonic
        self._looked_at = monotonic()
        self._seen: dict[str, tuple[int, float]] = {}

    def gone(self, owners: Mapping[str, int | None], present: Collection[str]) -> set[str]:
        """The owners that are gone, ``present`` never among them.

        One without any sign of life retired in good order, and is gone at once.
        """
        now = self._monotonic()
        if now - self._looked_at > self._lease / 2:
            self.forget()
        self._looked_at = now
        self._seen = {
            owner: self._since(owner, count, now)
            for owner, count in owners.items()
            if count is not None
        }
        retired = {owner for owner, count in owners.items() if count is None}
        silent = {owner for owner, (_, since) in self._seen.items() if now - since >= self._lease}
        return (retired | silent) - set(present)

    def forget(self) -> None:
        """Begin anew: what was seen before a gap says nothing about now."""
        self._seen.clear()

    def _since(self, owner: str, count: int, now: float) -> tuple[int, float]:
        before = self._seen.get(owner)
        return before if before is not None and before[0] == count else (count, now)
