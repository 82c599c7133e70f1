"""Random histories of a few runs, told to a store and to a model small enough to be believed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runs.store import Store
from app.runtime.record import StepRecord

LEGAL = {
    Status.INIT: {Status.INIT, Status.RUNNING, Status.FINISH, Status.ABORT},
    Status.RUNNING: {Status.RUNNING, Status.FINISH, Status.ABORT},
    Status.FINISH: {Status.FINISH},
    Status.ABORT: {Status.ABORT},
}

MANY = 1_000_000
FINISH = Outcome(Status.FINISH, result="{}")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIMES = st.floats(min_value=0, max_value=4e9)
PARKED = ("until/1700000000", "until/1700000001")
OWNERS = st.sampled_from(["", "a", "b", "c"])
OUTCOMES = st.builds(Outcome, st.just(Status.FINISH), result=TEXTS) | st.builds(
    Outcome,
    st.just(Status.ABORT),
    error_code=st.integers(-(2**63), 2**63 - 1),
    error_message=TEXTS,
    reason=TEXTS,
)
RECORDS = st.builds(
    StepRecord,
    path=st.sampled_from(["0", "1", "1/else/0"]),
    name=TEXTS,
    verb=TEXTS,
    attempt=st.integers(0, 100),
    started_at=TIMES,
    ended_at=st.none() | TIMES,
    outcome=st.none() | st.sampled_from(["ok", "error", "timeout"]),
    value=st.none() | TEXTS,
    detail=st.none() | TEXTS,
)


def check_life_cycle(store: Store, *, prunes: bool) -> None:
    """Tell random histories to an empty store; each has ids of its own, and cleans up behind it.

    ``prunes`` is False for a store whose runs expire by themselves.
    """
    numbers = itertools.count()

    class Histories(LifeCycle):
        def __init__(self) -> None:
            super().__init__(store, numbers, prunes)

    run_state_machine_as_test(
        Histories,
        settings=settings(deadline=None, max_examples=50, stateful_step_count=40),
    )


class LifeCycle(RuleBasedStateMachine):
    """What the store must hold is in ``expected``, ``journals`` and ``beats``.

    ``seen`` is each run as it was last looked at, ``ends`` all that was first read of an ended one.
    Of ``holds`` any may be stale: who uses such a one is a process that was taken for gone.
    """

    ids = Bundle("ids")
    claims = Bundle("holds")

    def __init__(self, store: Store, numbers: Iterator[int], prunes: bool) -> None:
        super().__init__()
        self.store = store
        self.numbers = numbers
        self.name = f"history {next(numbers)}"
        self.prunes = prunes
        self.expected: dict[str, RunRecord] = {}
        self.journals: dict[str, dict[str, StepRecord]] = {}
        self.sources: dict[str, str] = {}
        self.beats: dict[str, int] = {}
        self.seen: dict[str, RunRecord] = {}
        self.ends: dict[str, str] = {}

    def check(self, run_id: str) -> None:
        """The run is as expected, came here by a legal move, and does not change after its end."""
        found = self.store.get(run_id)
        records = tuple(self.store.records(run_id))
        assert found == self.expected.get(run_id)
        assert records == tuple(self.journals.get(run_id, {}).values())
        if found is None:
            return
        before = self.seen.setdefault(run_id, found)
        assert found.status in LEGAL[before.status]
        assert found.attempt >= before.attempt
        assert found.crashes >= before.crashes
        self.seen[run_id] = found
        if found.status.is_terminal:
            everything = repr((found, records))
            assert everything == self.ends.setdefault(run_id, everything)

    def teardown(self) -> None:
        try:
            for run_id in self.seen:
                self.check(run_id)
        finally:
            self.clean_up()

    def clean_up(self) -> None:
        """Leave nothing behind that the next history could see."""
        for run_id in self.expected:
            self.store.complete(run_id, None, FINISH, 0.0)
        for owner in self.beats:
            self.store.retire(owner)
        if self.prunes:
            while self.store.prune(float("inf"), 0, MANY):
                pass

    def unended(self) -> list[RunRecord]:
        return [each for each in self.expected.values() if not each.status.is_terminal]

    def current(self, claim: Claim) -> RunRecord | None:
        """The run, if it has not ended and is under exactly this hold."""
        found = self.expected.get(claim.run_id)
        fits = found is not None and not found.status.is_terminal and found.claim == claim
        return found if fits else None

    def begin(self, instance: RunRecord, text: str) -> None:
        """Expect a run that was added."""
        self.expected[instance.id] = instance
        self.sources[instance.source] = text

    @invariant()
    def owners_are_known(self) -> None:
        """The store knows who beat and who has runs, and which."""
        holders = dict.fromkeys((each.owner for each in self.unended()), None)
        assert self.store.owners() == {**holders, **self.beats}

    @invariant()
    def every_run_that_goes_on_has_its_source(self) -> None:
        for each in self.unended():
            assert self.store.source(each.source) == self.sources[each.source]

    @rule(
        target=ids,
        key=st.sampled_from("xyz"),
        payload=st.none() | TEXTS,
        text=TEXTS,
        owner=OWNERS,
        now=TIMES,
    )
    def add(self, key: str, payload: str | None, text: str, owner: str, now: float) -> str:
        instance = RunRecord(
            f"run {next(self.numbers)}", f"{self.name} {key}", "v1", Status.INIT, now, payload,
            source=f"digest of {text}", owner=owner,
        )  # fmt: skip
        self.store.add(instance, text)
        self.begin(instance, text)
        self.check(instance.id)
        return instance.id

    @rule(run_id=ids, payload=TEXTS)
    def add_again(self, run_id: str, payload: str) -> None:
        if known := self.expected.get(run_id):
            with pytest.raises(ValueError, match="exists"):
                self.store.add(
                    replace(known, status=Status.INIT, payload=payload), self.sources[known.source]
                )
            self.check(run_id)

    @rule(target=claims, run_id=ids)
    def see(self, run_id: str) -> Claim | MultipleResults[Claim]:
        """Somebody looks at a run, to act on what it saw at some later time."""
        known = self.expected.get(run_id)
        return known.claim if known else multiple()

    @rule(target=claims, run_id=ids, owner=OWNERS, now=TIMES)
    def claim(self, run_id: str, owner: str, now: float) -> Claim | MultipleResults[Claim]:
        """A message is delivered, for the first time or again."""
        before = self.expected.get(run_id)
        answer = self.store.claim(run_id, owner, now)
        if before is None or not before.queued:
            assert answer is None
            self.check(run_id)
            return multiple()
        self.expected[run_id] = replace(
            before,
            status=Status.RUNNING,
            owner=owner,
            queued=False,
            attempt=before.attempt + 1,
            started_at=now if before.started_at is None else before.started_at,
        )
        assert answer == self.expected[run_id]
        self.check(run_id)
        return answer.claim

    @rule(claim=claims, record=RECORDS)
    def record(self, claim: Claim, record: StepRecord) -> None:
        before = self.current(claim)
        fits = before is not None and before.status is Status.RUNNING
        assert self.store.record(claim, record) is fits
        if fits:
            self.journals.setdefault(claim.run_id, {})[record.path] = record
        self.check(claim.run_id)

    @rule(run_id=ids, owner=OWNERS, now=TIMES, records=st.lists(RECORDS, max_size=3))
    def proceed(self, run_id: str, owner: str, now: float, records: list[StepRecord]) -> None:
        """A run is begun if it waits, and makes some steps."""
        self.claim(run_id, owner, now)
        if known := self.expected.get(run_id):
            for record in records:
                self.record(known.claim, record)

    def end(self, run_id: str, outcome: Outcome, now: float) -> None:
        """Expect that a run has ended."""
        self.expected[run_id] = replace(
            self.expected[run_id],
            status=outcome.status,
            owner="",
            queued=False,
            ended_at=now,
            outcome=outcome,
        )
        steps = self.journals.get(run_id, {})
        self.journals[run_id] = {path: replace(step, value=None) for path, step in steps.items()}

    @rule(claim=claims, outcome=OUTCOMES, now=TIMES)
    def complete(self, claim: Claim, outcome: Outcome, now: float) -> None:
        fits = self.current(claim) is not None
        assert self.store.complete(claim.run_id, claim, outcome, now) is fits
        if fits:
            self.end(claim.run_id, outcome, now)
        self.check(claim.run_id)

    @rule(run_id=ids, outcome=OUTCOMES, now=TIMES)
    def cancel(self, run_id: str, outcome: Outcome, now: float) -> None:
        known = self.expected.get(run_id)
        fits = known is not None and not known.status.is_terminal
        assert self.store.complete(run_id, None, outcome, now) is fits
        if fits:
            self.end(run_id, outcome, now)
        self.check(run_id)

    @rule(target=ids, claim=claims, outcome=OUTCOMES, text=TEXTS, owner=OWNERS, now=TIMES)
    def complete_then(
        self, claim: Claim, outcome: Outcome, text: str, owner: str, now: float
    ) -> str | MultipleResults[str]:
        """A run ends and begets another, or neither."""
        fits = self.current(claim) is not None
        then = RunRecord(
            f"run {next(self.numbers)}", f"{self.name} then", "v1", Status.INIT, now, text,
            source=f"digest of {text}", owner=owner,
        )  # fmt: skip
        assert self.store.complete(claim.run_id, claim, outcome, now, then, text) is fits
        if fits:
            self.end(claim.run_id, outcome, now)
            self.begin(then, text)
        self.check(claim.run_id)
        self.check(then.id)
        return then.id if fits else multiple()

    @rule(target=claims, claim=claims, owner=st.sampled_from(["", *PARKED]))
    def release(self, claim: Claim, owner: str) -> Claim | MultipleResults[Claim]:
        """A run is given back: to anybody, or to a time that it waits for."""
        before = self.current(claim)
        assert self.store.release(claim, owner) is (before is not None)
        if before is None:
            self.check(claim.run_id)
            return multiple()
        self.expected[before.id] = replace(before, owner=owner, queued=True)
        self.check(claim.run_id)
        return self.expected[before.id].claim

    @rule(owner=OWNERS.filter(bool), count=st.integers(0, 2**60))
    def beat(self, owner: str, count: int) -> None:
        self.store.beat(owner, count)
        self.beats[owner] = count

    @rule(owner=OWNERS.filter(bool))
    def retire(self, owner: str) -> None:
        self.store.retire(owner)
        self.beats.pop(owner, None)

    @rule(target=claims, owners=st.sets(OWNERS | st.sampled_from(PARKED)), limit=st.integers(1, 4))
    def held(self, owners: set[str], limit: int) -> MultipleResults[Claim]:
        found = self.store.held(owners, limit)
        times = [self.expected[claim.run_id].created_at for claim in found]
        assert times == sorted(e.created_at for e in self.unended() if e.owner in owners)[:limit]
        assert all(self.current(claim) for claim in found)
        assert len(set(found)) == len(found)
        return multiple(*found)

    @rule(seen=st.lists(claims, unique=True, max_size=5), owner=OWNERS)
    def adopt(self, seen: list[Claim], owner: str) -> None:
        expected = {claim.run_id: claim for claim in seen if self.current(claim)}
        # One hold for each run: adopting may bring a run from the one to the other.
        stale = [claim for claim in seen if claim.run_id not in expected]
        assert sorted(self.store.adopt([*stale, *expected.values()], owner)) == sorted(expected)
        for run_id, claim in expected.items():
            before = self.expected[run_id]
            crashes = before.crashes + (not claim.queued)
            self.expected[run_id] = replace(before, owner=owner, queued=True, crashes=crashes)
        for claim in seen:
            self.check(claim.run_id)

    @rule(
        status=st.none() | st.sampled_from(Status),
        key=st.sampled_from("xyz"),
        limit=st.integers(0, 4),
    )
    def find(self, status: Status | None, key: str, limit: int) -> None:
        found = self.store.find(status=status, flow_key=f"{self.name} {key}", limit=limit)
        fitting = [
            each
            for each in self.expected.values()
            if each.flow_key == f"{self.name} {key}" and status in (None, each.status)
        ]
        times = sorted((each.created_at for each in fitting), reverse=True)
        assert [each.created_at for each in found] == times[:limit]
        assert all(each == replace(self.expected[each.id], payload=None) for each in found)
        assert len({each.id for each in found}) == len(found)

    @rule(ended_before=TIMES, keep=st.integers(0, 4), limit=st.integers(0, 4))
    def prune(self, ended_before: float, keep: int, limit: int) -> None:
        if not self.prunes:
            return
        ended = {each.id: each.ended_at or 0.0 for each in self.expected.values() if each.outcome}
        old = sum(at < ended_before for at in ended.values())
        expected = min(max(old, len(ended) - keep), limit)
        assert self.store.prune(ended_before, keep, limit) == max(expected, 0)
        dropped = {each for each in ended if self.store.get(each) is None}
        times = sorted(ended.values())
        assert sorted(ended[each] for each in dropped) == times[:expected]
        for run_id in dropped:
            del self.expected[run_id]
            self.journals.pop(run_id, None)
            self.check(run_id)
