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
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from app.instance import Instance, Outcome, Status
from app.store import Store

LEGAL = {
    Status.INIT: {Status.INIT, Status.RUNNING},
    Status.RUNNING: {Status.RUNNING, Status.FINISH, Status.ABORT},
    Status.FINISH: {Status.FINISH},
    Status.ABORT: {Status.ABORT},
}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIMES = st.floats(min_value=0, max_value=4e9)
OUTCOMES = st.builds(Outcome, st.just(Status.FINISH), result=TEXTS) | st.builds(
    Outcome,
    st.just(Status.ABORT),
    error_code=st.integers(-(2**63), 2**63 - 1),
    error_message=TEXTS,
)


def check_life_cycle(store: Store) -> None:
    """Tell random histories to the store; each has ids of its own, so one store serves them all."""
    numbers = itertools.count()

    class Histories(LifeCycle):
        def __init__(self) -> None:
            super().__init__(store, numbers)

    run_state_machine_as_test(
        Histories,
        settings=settings(deadline=None, max_examples=30, stateful_step_count=20),
    )


class LifeCycle(RuleBasedStateMachine):
    """``expected`` is what the store must hold, ``ends`` what it first said of the ended runs."""

    ids = Bundle("ids")

    def __init__(self, store: Store, numbers: Iterator[int]) -> None:
        super().__init__()
        self.store = store
        self.numbers = numbers
        self.expected: dict[str, Instance] = {}
        self.seen: dict[str, Status] = {}
        self.ends: dict[str, str] = {}

    def check(self, instance_id: str) -> None:
        """The run is as expected, came here by a legal move, and does not change after its end."""
        found = self.store.get(instance_id)
        assert found == self.expected[instance_id]
        assert found.status in LEGAL[self.seen.get(instance_id, Status.INIT)]
        self.seen[instance_id] = found.status
        if found.status.is_terminal:
            assert repr(found) == self.ends.setdefault(instance_id, repr(found))
            assert found.payload is None

    def teardown(self) -> None:
        for instance_id in self.expected:
            self.check(instance_id)

    @rule(target=ids, key=TEXTS, version=TEXTS, payload=TEXTS, now=TIMES)
    def add(self, key: str, version: str, payload: str, now: float) -> str:
        instance_id = f"run {next(self.numbers)}"
        instance = Instance(instance_id, key, version, Status.INIT, now, payload)
        self.store.add(instance)
        self.expected[instance_id] = instance
        self.check(instance_id)
        return instance_id

    @rule(instance_id=ids, payload=TEXTS)
    def add_again(self, instance_id: str, payload: str) -> None:
        with pytest.raises(ValueError, match="exists"):
            self.store.add(replace(self.expected[instance_id], payload=payload))
        self.check(instance_id)

    @rule(instance_id=ids, now=TIMES)
    def claim(self, instance_id: str, now: float) -> None:
        before = self.expected[instance_id]
        answer = self.store.claim(instance_id, now)
        if before.status is Status.INIT:
            self.expected[instance_id] = replace(before, status=Status.RUNNING, started_at=now)
            assert answer == self.expected[instance_id]
        else:
            assert answer is None
        self.check(instance_id)

    @rule(instance_id=ids, outcome=OUTCOMES, now=TIMES)
    def complete(self, instance_id: str, outcome: Outcome, now: float) -> None:
        before = self.expected[instance_id]
        assert self.store.complete(instance_id, outcome, now) is (before.status is Status.RUNNING)
        if before.status is Status.RUNNING:
            self.expected[instance_id] = replace(
                before, status=outcome.status, payload=None, ended_at=now, outcome=outcome
            )
        self.check(instance_id)
