"""Runs of flows that call others: what they began with, they end with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.runs.run import Status
from app.runs.stores.memory import MemoryStore
from tests.life.world import Crash, Unreliable, World

CALLER = """
    mode: async
    timeout: 10m
    outputs: {says: string}
    steps:
      - id: first
        http: POST /${flow.instanceId}/a
      - id: sub
        call: sub/v1
        with: {run: "${flow.instanceId}"}
      - return: {says: "${steps.sub.says}"}
    """
SUB = """
    inputs: {run: string}
    outputs: {says: string}
    steps:
      - id: inside
        http: POST /${inputs.run}/b
      - return: {says: old}
    """


@pytest.mark.parametrize("change", ["changed", "gone", "broken"])
def test_a_run_ends_with_the_called_text_that_it_began_with(tmp_path: Path, change: str) -> None:
    """Also in a process that started after the called file was changed, broken or removed."""
    store = Unreliable(MemoryStore())
    world = World(store, tmp_path)
    world.flow("caller", CALLER)
    world.flow("sub", SUB)
    process = world.process()
    run = process.trigger("caller")
    store.mischief = ("record", "after", Crash)
    store.of_its_name = 4
    process.execute_next()
    assert process not in world.processes
    if change == "gone":
        (tmp_path / "sub" / "v1.yaml").unlink()
    else:
        world.flow("sub", SUB.replace("old", "new") if change == "changed" else "steps: [")
    world.process()
    world.settle()
    ended = world.store.get(run)
    assert ended.status is Status.FINISH
    assert json.loads(ended.outcome.result) == {"says": "old"}
    assert [step for _, step, _ in world.effects] == ["a", "b"]
