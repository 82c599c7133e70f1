"""Which processes are alive: each sends heartbeats, and watches those of the others.

Wall clocks jump, so none is used. A heartbeat is a number that grows. An owner is dead if its
number did not change for a whole lease, on the monotonic clock of the watching process. Only time
spent watching counts: after a gap (a locked store, a suspended machine) it starts again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

LOOKS_PER_LEASE = 6
"""How often within one lease an owner sends a heartbeat, and looks for those of others."""


def new_owner(host: str, pid: int, token: str) -> str:
    """A unique name for a process: where it runs, for people, and a random token."""
    return f"{host}/{pid}/{token}"


_PARKED = "until/"


def suspended_owner(until: float) -> str:
    """The owner of a run that waits until a time, in seconds since the epoch; no process has it."""
    return f"{_PARKED}{math.ceil(until)}"


def suspended_until(owner: str) -> float | None:
    """The time that a run with this owner waits for; ``None`` if the owner is no time."""
    return float(owner.removeprefix(_PARKED)) if owner.startswith(_PARKED) else None


class FailureDetector:
    """Decides which owners are dead; ``lease`` is in seconds."""

    def __init__(self, lease: float, monotonic: Callable[[], float]) -> None:
        self._lease = lease
        self._monotonic = monotonic
        self._looked_at = monotonic()
        self._seen: dict[str, tuple[int, float]] = {}

    def gone(self, owners: Mapping[str, int | None], present: Collection[str]) -> set[str]:
        """The owners that are dead, ``present`` never among them.

        One without any heartbeat retired in good order, and counts at once.
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
        """Start again: what was seen before a gap says nothing about now."""
        self._seen.clear()

    def _since(self, owner: str, count: int, now: float) -> tuple[int, float]:
        before = self._seen.get(owner)
        return before if before is not None and before[0] == count else (count, now)
