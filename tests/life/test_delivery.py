"""The callback of a run: told once the run has ended, and again when somebody asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import InputsInvalid
from app.http.message import Response
from app.runs.callback import delivery_id
from app.runs.failure_detector import suspended_until
from app.runs.run import Status
from app.runs.stores.memory import MemoryStore
from tests.life.world import FLOW, World


def test_a_delivery_is_a_run_like_any_other(tmp_path: Path) -> None:
    """It is retried while the receiver fails, ends ABORT in the end, and can be run again."""
    world = World(MemoryStore(), tmp_path)
    world.flow("abc", FLOW)
    process = world.process()
    run = process.trigger("abc")
    answer, world.answer = (
        world.answer,
        lambda step: Response(503, {}, b"") if step == "callback" else answer(step),
    )
    world.settle()
    # Between two tries it is in nobody's hands.
    assert suspended_until(world.store.get(delivery_id(run)).owner) is not None
    while not world.store.get(delivery_id(run)).status.is_terminal:
        world.settle()
    first = world.store.get(delivery_id(run))
    assert (first.status, first.flow_key) == (Status.ABORT, "siteswap-callback")
    assert len(world.of(run, "callback")) == 11
    world.answer = answer
    second = process.runner.retry(first.id)
    world.settle()
    assert world.store.get(second.run_id).status is Status.FINISH
    assert len(world.of(run, "callback")) == 12


@pytest.mark.parametrize("url", ["ftp://somewhere", "somewhere"])
def test_an_address_that_cannot_be_called_is_refused_at_once(tmp_path: Path, url: str) -> None:
    """Who gives a callback address that is none is told so before anything runs."""
    world = World(MemoryStore(), tmp_path)
    world.flow("to", "inputs: {url: string}\n" + TO)
    with pytest.raises(InputsInvalid, match="callback"):
        world.process().trigger("to", url=url)


def test_no_address_means_nobody(tmp_path: Path) -> None:
    """A callback that comes to null is no callback."""
    world = World(MemoryStore(), tmp_path)
    world.flow("to", "inputs: {url: {type: string, required: false}}\n" + TO)
    process = world.process()
    run = process.trigger("to")
    world.settle()
    assert world.store.get(run).status is Status.FINISH
    assert world.store.get(delivery_id(run)) is None


TO = """\
mode: async
callback: {url: "${inputs.url}"}
steps:
  - set: {a: 1}
"""
