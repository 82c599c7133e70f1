"""Upkeep in every process: heartbeats, runs whose process died, runs that are old enough to drop.

Each change is a compare-and-set in the store. So several reapers may work at the same time, and one
that is late, or looks twice, does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.errors import Busy
from app.runs.failure_detector import LOOKS_PER_LEASE, FailureDetector, suspended_until
from app.runs.run import Claim
from app.runs.runner import Runner

ADOPTED_AT_ONCE = 100
"""Runs in one call to the store: few enough that other callers do not wait long."""
CALLS_PER_LOOK = 10
MOST_HELD = 10_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended runs are kept, in seconds, and how many at most."""

    seconds: float
    runs: int


class Reaper:
    """The upkeep of one process; ``reap`` is called several times within each lease.

    ``clock`` gives seconds since the epoch; only the age of ended runs is judged by it.
    """

    def __init__(
        self,
        runner: Runner,
        detector: FailureDetector,
        retention: Retention,
        clock: Callable[[], float],
        log: logging.Logger,
    ) -> None:
        self._runner = runner
        self._detector = detector
        self._retention = retention
        self._clock = clock
        self._log = log
        self._beats = 0
        self._announced = False
        self._before: frozenset[Claim] = frozenset()
        self._is_late = False

    def announce(self) -> None:
        """Send the first heartbeat; without it other processes consider this one dead.

        Raises:
            Busy: the store cannot take it now.
        """
        if not self._announced:
            self.beat()

    def beat(self) -> None:
        """Send a heartbeat.

        Raises:
            Busy: the store cannot take it now.
        """
        self._beats += 1
        self._runner.heartbeat(self._beats)
        self._announced = True

    def reap(self) -> None:
        """One look at everything. A busy store ends the look; the next one comes soon."""
        try:
            self.beat()
            self._take_over()
            self._forget_unanswered()
            self._find_lost()
            self._runner.prune(self._retention.seconds, self._retention.runs, CALLS_PER_LOOK)
            self._is_late = False
        except Busy as error:
            self._detector.forget()
            if not self._is_late:
                self._log.warning("the upkeep of runs has to wait: %s", error.public)
            self._is_late = True

    def retire(self) -> None:
        """Say goodbye, so that other processes take over what is left here without waiting."""
        try:
            self._runner.retire(self._runner.owner)
        except Busy:
            self._log.warning("the store is busy: our runs wait until our lease has passed")

    def wake(self) -> None:
        """Queue the runs whose wait is over. If the store is busy, the next look does it."""
        with suppress(Busy):
            waits = {owner: suspended_until(owner) for owner in self._runner.owners()}
            now = self._clock()
            over = {owner for owner, until in waits.items() if until is not None and until <= now}
            if over:
                self._adopt_from(over, logging.DEBUG)

    def _adopt_from(self, owners: Collection[str], level: int) -> None:
        for _ in range(CALLS_PER_LOOK):
            claims = self._runner.claims_of(owners, ADOPTED_AT_ONCE)
            if self._adopt(claims, level) < ADOPTED_AT_ONCE:
                break

    def _take_over(self) -> None:
        present = self._runner.owners_here
        owners = self._runner.owners()
        live = {owner: count for owner, count in owners.items() if suspended_until(owner) is None}
        gone = self._detector.gone(live, present)
        if gone:
            self._adopt_from(gone, logging.INFO)
        for owner in gone & self._emptied(gone):
            self._runner.retire(owner)

    def _emptied(self, owners: Collection[str]) -> set[str]:
        return {owner for owner in owners if not self._runner.claims_of([owner], 1)}

    def _adopt(self, claims: Sequence[Claim], level: int = logging.INFO) -> int:
        """Queue these here, as far as there is room; how many were tried."""
        tried, adopted = self._runner.adopt(claims)
        if adopted:
            runs = "run" if adopted == 1 else "runs"
            self._log.log(level, "took over %d %s that no process had in hand", adopted, runs)
        return tried

    def _find_lost(self) -> None:
        """Queue runs again that the store gives to this process, and that are not here.

        An answer of the store, or a message, was lost then. A run is on its way for a moment, so
        only those count that were missing at the last look already.
        """
        held = frozenset(self._own())
        stale = sorted(held & self._before, key=lambda claim: claim.run_id)
        self._before = held
        self._adopt([c for c in stale if not c.queued and not self._runner.is_under_way(c.run_id)])
        self._runner.submit_again([claim.run_id for claim in stale if claim.queued])

    def _forget_unanswered(self) -> None:
        """End the runs that were refused to their callers, and that the store has all the same.

        They are looked for during one lease: a call without an answer may still arrive.
        """
        unanswered = self._runner.unanswered
        for claim in self._own() if unanswered else ():
            if claim.run_id in unanswered:
                self._runner.withdraw(claim.run_id)
        for run_id, looks in list(unanswered.items()):
            if looks < LOOKS_PER_LEASE:
                unanswered[run_id] = looks + 1
            else:
                del unanswered[run_id]

    def _own(self) -> Sequence[Claim]:
        return self._runner.claims_of(self._runner.owners_here, MOST_HELD)
