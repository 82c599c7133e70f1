"""A run that was refused is not carried out, though the store has it after all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import Busy
from app.runs.stores.memory import MemoryStore
from tests.life.world import FLOW, LEASE, Unreliable, World


def test_the_store_is_busy_when_it_is_to_be_forgotten(tmp_path: Path) -> None:
    """The sweep that could not end it does not take it for one of ours that got lost."""
    store = Unreliable(MemoryStore())
    world = World(store, tmp_path)
    world.flow("abc", FLOW)
    process = world.process()
    store.mischief = ("add", "after", Busy)
    with pytest.raises(Busy):
        process.trigger("abc")
    for _ in range(6):
        # Each sweep but the last finds the store busy at the one call that would end the run.
        store.mischief = ("complete", "before", Busy)
        world.pass_time(LEASE / 6)
        process.execute_next()
    store.mischief = None
    world.settle()
    assert world.effects == []


def test_many_are_refused_and_the_sweep_goes_on(tmp_path: Path) -> None:
    """After an outage it looks once for all of them: who sweeps too long is taken for gone."""
    store = Unreliable(MemoryStore())
    world = World(store, tmp_path)
    world.flow("abc", FLOW)
    process = world.process()
    for number in range(500):
        store.mischief = ("add", "after" if number == 250 else "before", Busy)
        with pytest.raises(Busy):
            process.trigger("abc")
    world.pass_time(LEASE / 6)
    assert store.calls.count("complete") == 1
    world.settle()
    assert world.effects == []
    assert not process.runner.unanswered


def test_a_run_that_is_added_late(tmp_path: Path) -> None:
    """What had no answer may still be on its way to the store when the sweep looks for it."""
    store = Unreliable(MemoryStore())
    world = World(store, tmp_path)
    world.flow("abc", FLOW)
    process = world.process()
    add = store.add
    later: list[Callable[[], None]] = []

    def hang(*arguments: Any) -> None:
        later.append(lambda: add(*arguments))
        raise Busy("no answer")

    store.add = hang
    with pytest.raises(Busy):
        process.trigger("abc")
    world.pass_time(LEASE / 2)
    later.pop()()
    world.settle()
    assert world.effects == []
