"""A run that was refused is not carried out, though the store has it after all."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import Busy
from app.stores.memory import MemoryStore
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
