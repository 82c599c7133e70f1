"""Repeating a step: what is repeated, how often, and how long it waits."""

from __future__ import annotations

import pytest

from app.errors import FlowFailed
from app.http.message import Response, TransportError
from tests.engine.world import World, json_answer

OK = json_answer('{"x": 1}')
BUSY = Response(503, {}, b"later")
REFUSED = TransportError("connection", "refused")


def flow(retry: str, method: str = "GET", timeout: str = "30s") -> str:
    """A flow of one call with this retry policy."""
    return f"""
        timeout: {timeout}
        outputs: {{x: integer}}
        steps:
          - id: call
            http: {method} https://api.example.com/x
            retry: {retry}
          - return: {{x: "${{steps.call.body.x}}"}}
    """


@pytest.mark.parametrize("failure", [BUSY, REFUSED, Response(429, {}, b""), Response(502, {}, b"")])
def test_a_failure_that_may_pass_is_repeated(failure: Response | TransportError) -> None:
    """Connection failures and 429, 502, 503, 504 are repeated without being asked for."""
    world = World([failure, failure, OK])
    assert world.run(flow("2")) == {"x": 1}
    assert len(world.requests) == 3


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_failure_that_stays_is_not_repeated(status: int) -> None:
    """A status that is not listed fails at once."""
    world = World([Response(status, {}, b"no")])
    with pytest.raises(FlowFailed, match=f"answered {status}"):
        world.run(flow("5"))
    assert len(world.requests) == 1


def test_only_what_on_lists_is_repeated() -> None:
    """``on`` replaces the default list."""
    world = World([Response(500, {}, b""), BUSY])
    with pytest.raises(FlowFailed, match="503"):
        world.run(flow("{times: 3, on: [500]}"))
    assert len(world.requests) == 2


def test_the_last_failure_stands() -> None:
    """After the last repetition the step fails with what came last."""
    world = World([REFUSED, REFUSED, BUSY])
    with pytest.raises(FlowFailed, match=r"step `call`: .*503"):
        world.run(flow("2"))


def test_waits_grow_up_to_a_bound() -> None:
    """Each wait is ``backoff`` times the one before, at most ``max_delay``."""
    world = World([BUSY] * 4 + [OK])
    world.run(flow("{times: 4, delay: 100ms, backoff: 3, max_delay: 1s, jitter: false}"))
    assert world.waits == pytest.approx([0.1, 0.3, 0.9, 1.0])


def test_retry_after_is_respected() -> None:
    """A server that says when to come back is not asked earlier."""
    world = World([Response(503, {"retry-after": "7"}, b""), OK])
    world.run(flow("{times: 1, jitter: false}"))
    assert world.waits == [7.0]


def test_retry_after_may_be_a_date() -> None:
    """``Retry-After`` as an HTTP date counts from now."""
    date = "Mon, 23 Nov 2026 00:00:09 GMT"
    world = World([Response(429, {"retry-after": date}, b""), OK])
    world.run(flow("1"))
    assert world.waits == [9.0]


def test_no_wait_outlives_the_flow() -> None:
    """A wait past the deadline is not begun: the failure is told at once."""
    world = World([Response(503, {"retry-after": "60"}, b"")])
    with pytest.raises(FlowFailed, match="503"):
        world.run(flow("3", timeout="5s"))
    assert world.waits == []


def test_a_post_is_repeated_when_the_step_says_so() -> None:
    """``idempotent: true`` is the author's word that a second time does no harm."""
    world = World([BUSY, OK])
    assert world.run(flow("{times: 1, idempotent: true}", "POST")) == {"x": 1}
