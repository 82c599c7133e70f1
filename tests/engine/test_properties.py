"""Random programs of all verbs: they end, and come to what a small reference says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from app.engine.interpreter import Interpreter
from app.errors import FlowFailed
from app.http.message import Request, Response
from app.runtime.trace import Trace
from app.verbs import VERBS
from tests.engine import reference
from tests.engine.outside import Code, Database, respond
from tests.engine.programs import Flows, programs
from tests.engine.reference import Reference, readable
from tests.engine.verbs import BLOCKS, LEAVES
from tests.engine.world import World, program


def every_step(flows: Flows) -> Iterator[Any]:
    """All steps of all flows."""
    pending: list[Any] = list(flows.flows.values())
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(node.values())
            yield node
        elif isinstance(node, list):
            pending.extend(node)


def run(flows: Flows, *, concurrent: bool = False) -> tuple[tuple[Any, ...], list[str], Trace]:
    """How a run ended, its effects, and its trace."""
    done: list[str] = []
    world, trace = World(concurrent=concurrent, python=Code(done.append)), Trace()
    world.dependencies = replace(world.dependencies, databases=Database(len, done.append))

    def answer(request: Request) -> Response:
        done.append(request.url)
        return respond(request.url.rpartition("/")[2])

    world.answer = answer
    texts = dict(flows.texts)
    compiled = program(texts.pop("test/v1"), texts)
    try:
        outputs = Interpreter(world.dependencies).run(compiled, {}, {}, "run", trace)
        end: tuple[Any, ...] = ("finish", outputs)
    except FlowFailed as error:
        end = ("abort", error.code, error.message)
    return end, [readable(what) for what in done], trace


def test_every_verb_is_written() -> None:
    """A verb that is new in the language is in the programs, and in the reference."""
    assert {*LEAVES, *BLOCKS} - {"race", "late", "clash"} == set(VERBS)
    assert set(reference.VERBS) == set(VERBS)


@settings(max_examples=40, deadline=None)
@given(programs())
def test_a_program_comes_to_what_the_reference_says(flows: Flows) -> None:
    """The same end, the same effects in the same order, the same steps in the trace."""
    told = Reference(flows.flows)
    expected = told.run()
    end, effects, trace = run(flows)
    if expected[0] == "finish":
        assert end == expected
    else:
        assert end[:2] == ("abort", expected[1][0])
        assert expected[1][1] in ("", end[2])
    assert effects == told.effects
    entries = [(each.label, each.verb, each.depth, each.outcome) for each in trace.entries]
    assert entries == told.trace


@settings(max_examples=12, deadline=None)
@given(programs())
def test_a_program_ends_with_threads(flows: Flows) -> None:
    """Branches really at once: nothing happens oftener, and what cannot fail comes to the same."""
    told = Reference(flows.flows)
    expected = told.run()
    end, effects, _ = run(flows, concurrent=True)
    if flows.flavour.parks:  # nothing fails within its branches, so time decides nothing
        assert end[:2] == (expected if expected[0] == "finish" else ("abort", expected[1][0]))
        assert Counter(effects) == Counter(told.effects)
    ids = {effect.split("-")[1] for effect in effects}
    assert ids <= {step.get("id") for step in every_step(flows)}
    assert end[0] in ("finish", "abort")
