"""Steps that fail as one."""

from __future__ import annotations

import pytest

from app.errors import FlowFailed
from app.http.message import Response, TransportError
from tests.engine.world import World, json_answer

SAGA = """
    inputs: {order: string}
    outputs: {number: string, undone: boolean}
    steps:
      - try:
          - id: goods
            http: POST https://example.com/goods
          - name: money
            http: POST https://example.com/money
          - id: parcel
            http: POST https://example.com/parcel
        on_error:
          - http: DELETE https://example.com/money/${inputs.order}
            when: error.step != 'goods'
          - http: DELETE https://example.com/goods/${default(steps.goods.body.id, 'none')}
          - when: error.status == 409
            return: {undone: true}
          - fail: {message: "${error.step}: ${error.kind}", code: 4100}
      - return: {number: "${steps.parcel.body.number}"}
    """


def seen(world: World) -> list[str]:
    """The requests that were sent, without the host."""
    return [f"{each.method} {each.url[19:]}" for each in world.requests]


def test_steps_that_all_work_run_in_order_and_are_seen_behind() -> None:
    """What is defined inside is known behind it on every path, if its handler ends the flow."""
    world = World([json_answer('{"id": 7}'), json_answer("{}"), json_answer('{"number": "P1"}')])
    assert world.run(SAGA, order="A1") == {"number": "P1", "undone": None}
    assert seen(world) == ["POST /goods", "POST /money", "POST /parcel"]


def test_one_handler_is_for_every_step_and_reads_what_was_done() -> None:
    """The rest of the steps is left out; `error.step` says which one it was."""
    world = World([json_answer('{"id": 7}'), json_answer("{}", 409), *[json_answer("{}")] * 2])
    assert world.run(SAGA, order="A1") == {"number": None, "undone": True}
    assert seen(world) == ["POST /goods", "POST /money", "DELETE /money/A1", "DELETE /goods/7"]


def test_its_handler_may_fail_the_flow() -> None:
    """Nothing of the failure is lost: not its kind, nor the step."""
    world = World([TransportError("connection", "refused"), Response(204, {}, b"")])
    with pytest.raises(FlowFailed, match=r"^goods: connection$") as caught:
        world.run(SAGA, order="A1")
    assert caught.value.code == 4100
    assert seen(world) == ["POST /goods", "DELETE /goods/none"]


def test_a_step_inside_may_handle_its_own_failure() -> None:
    """Then the others go on; a `timeout` bounds them all; `fail` passes through."""
    world = World([json_answer("{}", 500), json_answer("{}")])
    outputs = world.run(
        """
        outputs: {text: string}
        steps:
          - try:
              - http: GET https://example.com/a
                on_error: continue
              - http: GET https://example.com/b
              - set: {text: both}
          - try:
              - wait: 5s
            timeout: 2s
            on_error:
              - return: {text: "${vars.text} ${error.kind}"}
        """
    )
    assert outputs == {"text": "both timeout"}
