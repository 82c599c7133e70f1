"""One run, and one thing that goes wrong: at every call of the store, in every way."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import Busy
from app.runs.executor import Lane
from app.runs.run import Status
from app.runs.runner import SUSPECT
from app.runs.stores.memory import MemoryStore
from tests.life.world import FLOW, LEASE, Crash, Process, Unreliable, World


def make(tmp_path: Path) -> tuple[World, Unreliable, Process]:
    """A world with one process, ready to go wrong."""
    store = Unreliable(MemoryStore())
    world = World(store, tmp_path)
    world.flow("abc", FLOW)
    return world, store, world.process()


def calls_of_a_run(tmp_path: Path) -> list[str]:
    """The calls that one run makes when all goes well, the sign of life before it included."""
    _, store, process = make(tmp_path)
    process.trigger("abc")
    process.hands.next()
    process.hands.next()
    return store.calls


def test_there_are_so_many_calls(tmp_path: Path) -> None:
    """The number of calls that can go wrong, which the next test is made for."""
    assert calls_of_a_run(tmp_path) == [
        "beat", "add", "claim",
        *["record"] * 6, "complete",
        "claim", "record", "record", "complete",
    ]  # fmt: skip


@pytest.mark.parametrize("failure", [Busy, Crash])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(2, 15))
def test_whatever_goes_wrong_the_promise_holds(
    tmp_path: Path, number: int, when: str, failure: type[BaseException]
) -> None:
    """A store that fails before or after the fact, or a process that dies there."""
    world, store, process = make(tmp_path)
    names = calls_of_a_run(tmp_path)
    store.at = number
    store.mischief = (names[number - 1], when, failure)
    accepted: list[str] = []
    process.does(lambda: accepted.append(process.trigger("abc")))
    for _ in range(2):
        if process in world.processes:
            process.execute_next()
    assert store.mischief is None
    world.process()
    world.settle()
    for run in accepted:
        world.check_end(run)
    if failure is Busy and number > 2:
        [run] = accepted
        assert world.store.get(run).status is Status.FINISH
    if failure is Busy and number == 2:
        assert world.effects == []


@pytest.mark.parametrize(("step", "end"), [("a", "interrupted"), ("b", None), ("c", "interrupted")])
def test_whoever_comes_late_changes_nothing(tmp_path: Path, step: str, end: str | None) -> None:
    """A process that stalls within a step, for longer than the lease, finds its run taken over."""
    world, _, process = make(tmp_path)
    run = process.trigger("abc")
    other = world.process()

    def meanwhile(_: str, at: str) -> None:
        if at == step and process in world.processes:
            world.processes.remove(process)
            world.pass_time(2 * LEASE)
            other.execute_next()

    world.during = meanwhile
    process.hands.next()
    world.processes.append(process)
    world.settle()
    world.check_end(run)
    instance = world.store.get(run)
    assert instance.outcome.reason == end
    assert instance.attempt == 2


def test_a_run_goes_on_behind_its_last_finished_step(tmp_path: Path) -> None:
    """After a death between two steps, the first is not repeated and the flow ends well."""
    world, store, process = make(tmp_path)
    run = process.trigger("abc")
    store.at, store.mischief = 6, ("record", "before", Crash)
    process.execute_next()
    assert [step for _, step, _ in world.effects] == ["a"]
    world.process()
    world.settle()
    assert [step for _, step, _ in world.effects] == ["a", "b", "c", "callback"]
    assert world.store.get(run).status is Status.FINISH


def test_a_run_that_was_taken_over_goes_first(tmp_path: Path) -> None:
    """Its time passes already, so those that have not begun let it go before them."""
    world, store, process = make(tmp_path)
    run = process.trigger("abc")
    store.at, store.mischief = 6, ("record", "before", Crash)
    process.execute_next()
    other = world.process()
    waiting = [other.trigger("abc") for _ in range(2)]
    world.pass_time(LEASE * 2)
    assert other.hands.ids == [run, *waiting]


def test_a_run_that_is_handed_back(tmp_path: Path) -> None:
    """A process that goes down ends the step under way; another goes on, and nothing crashed."""
    world, _, process = make(tmp_path)
    run = process.trigger("abc")

    def stop(_: str, step: str) -> None:
        if step == "a":
            process.runner.close(0)

    process.hands.close = lambda timeout: False
    world.during = stop
    process.execute_next()
    assert [step for _, step, _ in world.effects] == ["a"]
    assert world.store.get(run).queued
    process.reaper.retire()
    process.die()
    other = world.process()
    world.pass_time(LEASE / 6)
    other.execute_next()
    assert [step for _, step, _ in world.effects] == ["a", "b", "c"]
    instance = world.store.get(run)
    assert (instance.status, instance.attempt, instance.crashes) == (Status.FINISH, 2, 0)


def test_a_store_that_is_busy_for_long(tmp_path: Path) -> None:
    """The run waits for the sweep to find it; it is no bug, and says so in a sentence."""
    world, _, process = make(tmp_path)
    run = process.trigger("abc")

    def busy() -> None:
        raise Busy("the store cannot be used now")

    announce, process.runner.announce = process.runner.announce, busy
    process.hands.next()
    assert not process.hands.ids
    process.runner.announce = announce
    world.settle()
    assert world.store.get(run).status is Status.FINISH


KILLS = """
    mode: async
    steps:
      - http: GET /${flow.instanceId}/kill
        retryable: true
"""


def test_a_run_that_kills_its_process_is_given_up(tmp_path: Path) -> None:
    """The third death is the last; the suspects run one at a time, so the others survive it."""
    world, _, process = make(tmp_path)
    world.flow("kills", KILLS)
    process.die()

    def kill(_: str, step: str) -> None:
        if step == "kill":
            raise Crash

    world.during = kill
    first = world.process()
    killer, innocent = first.trigger("kills"), first.trigger("abc")
    lanes = []
    for _ in range(5):
        process = world.process()
        world.settle()
        lanes.append(process.hands.lanes.get(killer))
    assert first.hands.lanes[killer] == Lane("kills/v1", 16)
    assert SUSPECT in lanes
    given_up = world.store.get(killer)
    assert (given_up.outcome.reason, given_up.crashes) == ("crashed", 3)
    assert given_up.outcome.error_code == 2000061009
    assert world.store.get(innocent).status is Status.FINISH
