"""The Store contract: where accepted runs live until they are polled.

A store never interprets what it keeps. Every method is one atomic step, safe to call from many
threads, greenlets and processes at once; when it returns, its effect is durable as far as the
implementation promises durability at all. It reads no clock: times are arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runtime.record import StepRecord


class Store(Protocol):
    """Keeps runs, their journals, and the heartbeats of the processes that execute them.

    Every method raises :class:`app.errors.Busy` when the store cannot take the call now (locked,
    full, unreachable). Nothing has changed then, unless the store is on another machine: an answer
    that was lost on its way back leaves it open. So a caller that repeats a call must be ready to
    find it done.
    """

    # The life of a run

    def add(self, run: RunRecord, source: str) -> None:
        """Keep a new run, which is ``INIT`` and queued; committed when this returns.

        ``source`` is the text that ``instance.source`` names; it is kept at least as long as a run
        that has not ended names it.

        Raises:
            ValueError: a run with this id exists already.
        """

    def claim(self, run_id: str, owner: str, now: float) -> RunRecord | None:
        """Take a queued run: it becomes ``RUNNING``, ``owner``'s, not queued, one attempt more.

        ``started_at`` becomes ``now`` with the first claim. Returns the run as it is then, or
        ``None`` if it was not queued. Of any number of callers, exactly one gets it.
        """

    def record(self, claim: Claim, record: StepRecord) -> bool:
        """Keep a step record of a run, in place of one with the same path.

        Returns ``False``, and keeps nothing, unless the run is ``RUNNING`` under exactly this hold.
        """

    def complete(
        self, run_id: str, claim: Claim | None, outcome: Outcome, now: float,
        then: RunRecord | None = None, then_source: str = "",
    ) -> bool:  # fmt: skip
        """End a run that has not ended: with the outcome's status, not queued, without an owner.

        Returns ``False``, and changes nothing, if it ended before, or is not under exactly this
        hold; ``None`` means any claim, queued runs included. The values of its step records are
        dropped. ``then`` is added in the same atomic step, as by :meth:`add` (one that exists
        already is left as it is).
        """

    def release(self, claim: Claim, owner: str = "") -> bool:
        """Give a run back before its end: it is queued again, without an owner, or for ``owner``.

        Returns ``False`` unless the run is under exactly this hold.
        """

    # What can be read of it

    def get(self, run_id: str) -> RunRecord | None:
        """The run as it is now, or ``None``."""

    def records(self, run_id: str, last: int | None = None) -> Sequence[StepRecord]:
        """The journal of a run, in the order in which the steps first began.

        With ``last`` only so many at its end, each without its value: enough to look at.
        """

    def find(
        self, *, status: Status | None = None, flow_key: str | None = None, limit: int
    ) -> Sequence[RunRecord]:
        """Runs by status and flow, the newest first, at most ``limit``; each without payload."""

    def source(self, digest: str) -> str | None:
        """The text that instances name as their ``source``, or ``None`` when it is gone."""

    # Those who execute

    def beat(self, owner: str, count: int) -> None:
        """Store a heartbeat of an owner; ``count`` must differ from the one before."""

    def retire(self, owner: str) -> None:
        """Forget an owner that shuts down in good order; others may adopt its runs at once."""

    def owners(self) -> Mapping[str, int | None]:
        """Every owner's last heartbeat; ``None`` for one that has runs and sent none.

        Owner ``""`` is among them when it has runs: those wait for a message of a broker.
        """

    def held(self, owners: Collection[str], limit: int) -> Sequence[Claim]:
        """Runs that have not ended and are owned by one of these, the oldest first."""

    def adopt(self, claims: Sequence[Claim], owner: str) -> Sequence[str]:
        """Queue these runs again, now for ``owner``; returns the ids of those it happened to.

        A run that has moved since it was seen under its hold is left alone. One that was not
        queued has lost its owner in the middle: one crash more.
        """

    # Upkeep

    def prune(self, ended_before: float, keep: int, limit: int) -> int:
        """Drop at most ``limit`` ended runs, the oldest first, with their journals.

        Those that ended before a time, and those beyond the ``keep`` newest; returns how many,
        with those that expired by themselves, where a store does that.
        """

    def close(self) -> None:
        """Finish the calls under way, then release files and connections. No call follows."""
