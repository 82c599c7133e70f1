"""Sub-flows."""

from __future__ import annotations

import pytest
import yaml

from app.errors import FlowFailed
from app.http.message import Response
from app.runtime.trace import Trace
from tests.engine.world import World, json_answer

BILL = """
    inputs:
      amount: {type: integer, min: 1}
      key: {type: string, secret: true, default: hidden-key}
    outputs: {number: string, amount: integer}
    steps:
      - if: inputs.amount > 100
        then:
          - fail: {message: too much, code: 4001}
      - id: post
        http: POST https://example.com/bills/${inputs.key}
      - return: {number: "${steps.post.body.number}", amount: "${inputs.amount}"}
    """

CALLER = """
    inputs: {amount: integer}
    outputs: {number: string, amount: integer}
    steps:
      - id: bill
        call: bill/v1
        with: {amount: "${inputs.amount}"}
      - return: {number: "${steps.bill.number}", amount: "${steps.bill.amount}"}
    """


def test_its_outputs_are_the_result() -> None:
    """Inputs go in by name, outputs come out as `steps.<id>`."""
    world = World([json_answer('{"number": "B1"}')], flows={"bill/v1": BILL})
    assert world.run(CALLER, amount=5) == {"number": "B1", "amount": 5}


def test_its_inputs_are_checked() -> None:
    """What does not fit fails the step, and says which input of which flow."""
    with pytest.raises(FlowFailed, match="step `bill`: bill/v1: amount: expected at least 1"):
        World(flows={"bill/v1": BILL}).run(CALLER, amount=0)


def test_what_it_says_with_fail_is_the_callers_failure() -> None:
    """Message and code are as if the caller had said it, unless it handles them."""
    with pytest.raises(FlowFailed) as caught:
        World(flows={"bill/v1": BILL}).run(CALLER, amount=101)
    assert (caught.value.code, caught.value.public) == (4001, "too much")


def test_its_failure_can_be_handled() -> None:
    """`error` has the code of a `fail`, and the kind, status and body of a failed request."""
    flow = CALLER.replace(
        "with: {amount",
        "on_error: [{fail: {message: '${error.kind} ${error.code} ${error.status} "
        "${default(error.body.why, 0)}'}}]\n        with: {amount",
    )
    refused = Response(402, {"content-type": "application/json"}, b'{"why": "broke"}')
    for amount, wanted in ((101, "fail 4001 null 0"), (5, "status 1 402 broke")):
        world = World([refused], flows={"bill/v1": BILL})
        with pytest.raises(FlowFailed, match=wanted):
            world.run(flow.replace("${error.status}", "${str(error.status)}"), amount=amount)


def test_its_secrets_are_masked_for_the_caller() -> None:
    """A secret input of a sub-flow shows neither in the caller's error nor in the trace."""
    world, trace = World([Response(500, {}, b"hidden-key")], flows={"bill/v1": BILL}), Trace()
    with pytest.raises(FlowFailed) as caught:
        world.run(CALLER, trace, amount=5)
    assert "hidden-key" not in caught.value.public
    assert "hidden-key" not in str(trace.entries)
    assert [entry.label for entry in trace.entries] == ["bill", "if", "post"]


def test_it_is_under_the_callers_deadline_and_its_own() -> None:
    """Whichever ends first; its own is a failure of the step."""
    slow = BILL.replace("inputs:", "timeout: 2s\n    inputs:", 1)
    world = World(seconds_per_call=3, flows={"bill/v1": slow})
    with pytest.raises(FlowFailed, match="step `bill`: took longer than 2 s"):
        world.run(CALLER, amount=5)


def test_flows_within_flows() -> None:
    """Each has a scope of its own; a loop's item does not reach into it."""
    middle = """
        inputs: {n: integer}
        outputs: {n: integer}
        steps:
          - id: one
            call: one/v1
            with: {n: "${inputs.n}"}
          - return: {n: "${steps.one.n + 1}"}
        """
    one = """
        inputs: {n: integer}
        outputs: {n: integer}
        steps:
          - return: {n: "${inputs.n * 10}"}
        """
    outputs = World(flows={"middle/v1": middle, "one/v1": one}).run(
        """
        outputs: {all: list}
        steps:
          - id: each
            for_each: [1, 2]
            steps:
              - {id: m, call: middle/v1, with: {n: "${item}"}}
            collect: steps.m.n
          - return: {all: "${steps.each}"}
        """
    )
    assert outputs == {"all": [11, 21]}


def test_what_is_too_deep_is_a_failure() -> None:
    """Flows that call each other, each from deep within its blocks, end with a sentence."""
    names = [f"c{number}/v1" for number in range(9)]
    flows = {name: deep(after) for name, after in zip(names, [*names[1:], None], strict=True)}
    with pytest.raises(FlowFailed, match="nested too deep"):
        World(flows=flows).run(deep(names[0]))


def deep(target: str | None) -> str:
    """A call, or a log, within fifteen branches."""
    steps: list[object] = [{"call": target}] if target else [{"log": "here"}]
    for _ in range(15):
        steps = [{"parallel": {"a": steps}}]
    return yaml.safe_dump({"steps": steps})
