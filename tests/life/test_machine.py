"""Random histories of processes that crash, stall, come late and meet an unreliable store."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.errors import Busy
from app.runs.run import RunRecord
from app.runs.stores.memory import MemoryStore
from tests.life.world import (
    FLOW,
    LEASE,
    NOTHING,
    WRITES,
    Crash,
    Mischief,
    Process,
    Unreliable,
    World,
)

MISCHIEF: st.SearchStrategy[Mischief] = st.tuples(
    st.sampled_from(WRITES), st.sampled_from(["before", "after"]), st.sampled_from([Busy, Crash])
)
"""One call of the store that goes wrong: before it happened or after, by an error or a death."""


class Life(RuleBasedStateMachine):
    """``accepted`` are the ids that were answered; ``ends`` what was first said of ended runs."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Unreliable(MemoryStore())
        self.world = World(self.store, Path(self.folder.name))
        self.world.flow("abc", FLOW)
        self.accepted: list[str] = []
        self.ends: dict[str, RunRecord] = {}
        self.world.process()

    def teardown(self) -> None:
        self.store.mischief = None
        self.world.during = NOTHING
        if not self.world.processes:
            self.world.process()
        self.world.settle()
        for run in self.accepted:
            self.world.check_end(run)
        self.folder.cleanup()

    @invariant()
    def accepted_runs_are_known_and_ends_are_final(self) -> None:
        for run in self.accepted:
            instance = self.world.store.get(run)
            assert instance is not None
            if instance.status.is_terminal:
                assert self.ends.setdefault(run, instance) == instance

    def some(self, number: int) -> Process:
        return self.world.processes[number % len(self.world.processes)]

    @rule()
    @precondition(lambda self: len(self.world.processes) < 3)
    def start(self) -> None:
        with suppress(Busy, Crash):
            self.world.process()

    @rule(number=st.integers(0, 5), mischief=st.none() | MISCHIEF)
    @precondition(lambda self: self.world.processes)
    def trigger(self, number: int, mischief: Mischief | None) -> None:
        process, self.store.mischief = self.some(number), mischief
        process.does(lambda: self.accepted.append(process.trigger("abc")))

    @rule(number=st.integers(0, 5), mischief=st.none() | MISCHIEF)
    @precondition(lambda self: any(each.hands.ids for each in self.world.processes))
    def execute(self, number: int, mischief: Mischief | None) -> None:
        self.store.mischief = mischief
        busy = [each for each in self.world.processes if each.hands.ids]
        busy[number % len(busy)].execute_next()

    @rule(number=st.integers(0, 5))
    @precondition(lambda self: self.world.processes)
    def kill(self, number: int) -> None:
        self.some(number).die()

    @rule(looks=st.integers(1, 12), mischief=st.none() | MISCHIEF)
    @precondition(lambda self: self.world.processes)
    def wait(self, looks: int, mischief: Mischief | None) -> None:
        self.store.mischief = mischief
        self.world.pass_time(looks * LEASE / 6)

    @rule(step=st.sampled_from("abc"), number=st.integers(0, 5))
    @precondition(lambda self: any(each.hands.ids for each in self.world.processes))
    def stall(self, step: str, number: int) -> None:
        """In the middle of a step all others take this process for dead; later it goes on."""
        busy = [each for each in self.world.processes if each.hands.ids]
        process = busy[number % len(busy)]

        def meanwhile(_: str, at: str) -> None:
            if at == step:
                self.world.during = NOTHING
                self.world.processes.remove(process)
                self.world.process()
                self.world.pass_time(LEASE * 2)
                for other in list(self.world.processes):
                    while other.hands.ids:
                        other.execute_next()
                self.world.processes.append(process)

        self.store.mischief = None
        self.world.during = meanwhile
        process.execute_next()
        self.world.during = NOTHING

    @rule(number=st.integers(0, 5))
    @precondition(lambda self: self.world.processes and self.accepted)
    def redeliver(self, number: int) -> None:
        self.some(number).hands.ids.append(self.accepted[number % len(self.accepted)])

    @rule(number=st.integers(0, 50), chance=st.integers(0, 5))
    @precondition(lambda self: self.world.processes and self.accepted)
    def cancel(self, number: int, chance: int) -> None:
        if chance:
            return
        process, run = self.some(number), self.accepted[number % len(self.accepted)]
        process.does(lambda: process.runner.cancel(run))


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
