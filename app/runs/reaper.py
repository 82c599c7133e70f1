"""The sweep in every process: signs of life, runs that lost their owner, runs that are old enough.

It never knows more than the store does, and does nothing that a compare-and-set does not permit;
so any number of sweeps may meet, and one that is late or runs twice does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.errors import Busy, RunCancelled
from app.runs.execution import aborted
from app.runs.failure_detector import LOOKS_PER_LEASE, FailureDetector, suspended_until
from app.runs.run import Claim
from app.runs.runner import Runner
from app.runs.store import Store

ADOPTED_AT_ONCE = 100
PRUNED_AT_ONCE = 200
"""Runs in one call to the store: few enough that nobody waits long behind it."""
CALLS_PER_SWEEP = 10
MOST_HELD = 10_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended runs are kept, in seconds, and how many at most."""

    seconds: float
    runs: int


class Reaper:
    """One process's sweep; ``sweep`` is called some times within each lease.

    ``clock`` is in seconds since the epoch and judges only the age of what has ended.
    """

    def __init__(
        self,
        runner: Runner,
        watch: FailureDetector,
        retention: Retention,
        clock: Callable[[], float],
        log: logging.Logger,
    ) -> None:
        self._runner = runner
        self._watch = watch
        self._retention = retention
        self._clock = clock
        self._log = log
        self._beats = 0
        self._announced = False
        self._before: frozenset[Claim] = frozenset()
        self._is_late = False

    @property
    def _store(self) -> Store:
        return self._runner.store

    def announce(self) -> None:
        """Give the first sign of life, without which the others take us for gone.

        Raises:
            Busy: the store cannot take it now.
        """
        if not self._announced:
            self.beat()

    def beat(self) -> None:
        """Give a sign of life.

        Raises:
            Busy: the store cannot take it now.
        """
        self._beats += 1
        self._store.beat(self._runner.owner, self._beats)
        self._announced = True

    def reap(self) -> None:
        """One look at everything. A store that is busy ends it; the next one comes soon."""
        try:
            self.beat()
            self._take_over()
            self._forget_unanswered()
            self._find_lost()
            self._prune()
            self._is_late = False
        except Busy as error:
            self._watch.forget()
            if not self._is_late:
                self._log.warning("the sweep has to wait: %s", error.public)
            self._is_late = True

    def retire(self) -> None:
        """Go: what we leave behind is anybody's at once."""
        try:
            self._store.retire(self._runner.owner)
        except Busy:
            self._log.warning("the store was busy at the end: our runs wait for the lease to pass")

    def wake(self) -> None:
        """Queue the runs whose wait is over. If the store is busy, the next look is near."""
        with suppress(Busy):
            waits = {owner: suspended_until(owner) for owner in self._store.owners()}
            now = self._clock()
            over = {owner for owner, until in waits.items() if until is not None and until <= now}
            if over:
                self._adopt_from(over, logging.DEBUG)

    def _adopt_from(self, owners: Collection[str], level: int) -> None:
        for _ in range(CALLS_PER_SWEEP):
            claims = self._store.held(owners, ADOPTED_AT_ONCE)
            if self._adopt(claims, level) < ADOPTED_AT_ONCE:
                break

    def _take_over(self) -> None:
        present = {self._runner.owner, self._runner.queue_owner}
        owners = self._store.owners()
        live = {owner: count for owner, count in owners.items() if suspended_until(owner) is None}
        gone = self._watch.gone(live, present)
        if gone:
            self._adopt_from(gone, logging.INFO)
        for owner in gone & self._emptied(gone):
            self._store.retire(owner)

    def _emptied(self, owners: Collection[str]) -> set[str]:
        return {owner for owner in owners if not self._store.held([owner], 1)}

    def _adopt(self, claims: Sequence[Claim], level: int = logging.INFO) -> int:
        """Queue these for us, as far as there is room; how many were tried."""
        places = self._reserve(len(claims))
        adopted = self._store.adopt(claims[:places], self._runner.queue_owner) if places else ()
        for run_id in adopted:
            self._runner.hand_over(run_id)
        for _ in range(places - len(adopted)):
            self._runner.executor.cancel()
        if adopted:
            runs = "run" if len(adopted) == 1 else "runs"
            self._log.log(level, "took over %d %s that nobody had in hand", len(adopted), runs)
        return places

    def _reserve(self, wanted: int) -> int:
        for place in range(wanted):
            try:
                self._runner.executor.reserve()
            except Busy:
                return place
        return wanted

    def _find_lost(self) -> None:
        """Runs that are ours and yet nowhere here: an answer of the store, or a message, was lost.

        Only what was so at the last look already: a run is on its way here for a moment.
        """
        runner = self._runner
        held = frozenset(self._own())
        stale = sorted(held & self._before, key=lambda claim: claim.run_id)
        self._before = held
        under_way = runner.execution.under_way
        self._adopt([h for h in stale if not h.queued and h.run_id not in under_way])
        queued = [claim.run_id for claim in stale if claim.queued]
        for run_id in runner.executor.lost(queued) if queued else ():
            if not runner.take(run_id):
                break

    def _forget_unanswered(self) -> None:
        """End the runs that were refused, and that the store has all the same.

        They are looked for during a lease, as what had no answer may still be on its way. There may
        be many: one call tells which of them are there.
        """
        unanswered = self._runner.unanswered
        for claim in self._own() if unanswered else ():
            if claim.run_id in unanswered:
                outcome = aborted(RunCancelled("it was never accepted"))
                self._store.complete(claim.run_id, None, outcome, self._clock())
                del unanswered[claim.run_id]
        for run_id, looks in list(unanswered.items()):
            if looks < LOOKS_PER_LEASE:
                unanswered[run_id] = looks + 1
            else:
                del unanswered[run_id]

    def _own(self) -> Sequence[Claim]:
        runner = self._runner
        return self._store.held({runner.owner, runner.queue_owner}, MOST_HELD)

    def _prune(self) -> None:
        oldest = self._clock() - self._retention.seconds
        for _ in range(CALLS_PER_SWEEP):
            dropped = self._store.prune(oldest, self._retention.runs, PRUNED_AT_ONCE)
            if dropped < PRUNED_AT_ONCE:
                return
