"""Random programs of all verbs: they end, and come to what a small reference says."""

from __future__ import annotations

import json

from hypothesis import Phase, given, settings

from app.engine.interpreter import Interpreter
from app.engine.trace import Trace
from app.errors import FlowFailed
from app.transport import Request, Response
from tests.engine.programs import Flows, programs
from tests.engine.reference import Reference, answer
from tests.engine.world import World, program


def respond(request: Request) -> Response:
    """The downstream."""
    status, body = answer(request.url.rpartition("/")[2])
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def run(flows: Flows, *, concurrent: bool = False) -> tuple[object, list[str], Trace]:
    """How a run ended, its effects, and its trace."""
    world, trace = World(concurrent=concurrent), Trace()
    world.answer = respond
    texts = dict(flows.texts)
    compiled = program(texts.pop("test/v1"), texts)
    try:
        outputs = Interpreter(world.tools).run(compiled, {}, {}, "run", trace)
        end: object = ("finish", outputs)
    except FlowFailed as error:
        end = ("abort", error.code, error.message)
    effects = [each.url.rpartition("/")[2].split("-00000000")[0] for each in world.requests]
    return end, effects, trace


@settings(max_examples=200, deadline=None, phases=[Phase.generate, Phase.explicit])
@given(programs())
def test_a_program_comes_to_what_the_reference_says(flows: Flows) -> None:
    """The same end, the same effects in the same order, the same steps in the trace."""
    reference = Reference(flows.flows)
    expected = reference.run()
    end, effects, trace = run(flows)
    if expected[0] == "finish":
        assert end == expected
    else:
        assert end[:2] == ("abort", expected[1][0])
        assert expected[1][1] in ("", end[2])
    assert effects == reference.effects
    entries = [(each.label, each.verb, each.depth, each.outcome) for each in trace.entries]
    assert entries == reference.trace
