"""How a run ends when something goes wrong: deadlines, handlers, and what the message tells."""

from __future__ import annotations

import re

import pytest

from app.errors import FlowFailed, FlowTimeout
from app.http.message import Request, Response, TransportError
from app.runtime.trace import Trace
from tests.engine.world import World, json_answer

CALL = """
    timeout: 10s
    inputs: {key: {type: string, secret: true, default: ""}}
    outputs: {x: string}
    steps:
      - set: {unused: "${inputs.key}"}
      - id: call
        http: GET https://api.example.com/x
        timeout: 3s
"""


def test_every_wait_is_cut_to_what_is_left_of_the_flow() -> None:
    """The second call may take no longer than the flow still has."""
    world = World([json_answer("{}")] * 2, seconds_per_call=7)
    text = """
        timeout: 10s
        steps:
          - http: GET https://api.example.com/1
          - http: GET https://api.example.com/2
    """
    with pytest.raises(FlowTimeout, match="the flow took longer than 10 s"):
        world.run(text)
    assert [request.timeout for request in world.requests] == [10, 3]
    assert world.time == 1010


def test_a_step_timeout_is_a_failure_of_the_step() -> None:
    """A slow call fails its step, with the limit in the message, while the flow has time left."""
    with pytest.raises(FlowFailed, match="step `call`: took longer than 3 s"):
        World(seconds_per_call=60).run(CALL)


def test_the_flow_deadline_is_no_business_of_on_error() -> None:
    """When the whole flow is late, no handler runs."""
    world = World(seconds_per_call=60)
    text = """
        timeout: 2s
        steps:
          - http: GET https://api.example.com/x
            on_error: continue
    """
    with pytest.raises(FlowTimeout):
        world.run(text)


def test_on_error_comes_after_the_retries() -> None:
    """The handler sees the last failure, once."""
    world = World([Response(503, {}, b"a"), Response(503, {}, b"b")])
    text = """
        outputs: {kind: string, status: integer, body: string, step: string}
        steps:
          - id: call
            http: GET https://api.example.com/x
            retry: {times: 1, delay: 1ms}
            on_error:
              - return:
                  kind: ${error.kind}
                  status: ${error.status}
                  body: ${error.body}
                  step: ${error.step}
    """
    assert world.run(text) == {"kind": "status", "status": 503, "body": "b", "step": "call"}


def test_an_error_inside_a_block_is_handled_by_the_block() -> None:
    """``on_error`` on an ``if`` handles the steps inside; later steps run on."""
    world = World([TransportError("connection", "refused")])
    text = """
        inputs: {deep: {type: boolean, default: true}}
        outputs: {note: string}
        steps:
          - set: {note: fine}
          - if: inputs.deep
            then:
              - http: GET https://api.example.com/x
            on_error:
              - set: {note: "${error.kind} at ${error.step}"}
          - return: {note: "${vars.note}"}
    """
    assert world.run(text) == {"note": "connection at http"}


def test_fail_is_not_an_error_to_handle() -> None:
    """``fail`` ends the flow whatever stands around it."""
    text = """
        inputs: {bad: {type: boolean, default: true}}
        steps:
          - if: inputs.bad
            then:
              - fail: {message: no way, code: 77}
            on_error: continue
    """
    with pytest.raises(FlowFailed) as caught:
        World().run(text)
    assert (caught.value.code, caught.value.public) == (77, "no way")


def test_fail_passes_on_the_code_that_it_reads() -> None:
    """A handler that cleaned up ends the flow as it would have ended without it."""
    text = """
        inputs: {code: integer}
        steps:
          - fail: {message: it went wrong, code: "${inputs.code}"}
    """
    with pytest.raises(FlowFailed, match="it went wrong") as caught:
        World().run(text, code=4002)
    assert caught.value.code == 4002


@pytest.mark.parametrize("code", [0, -1, 2**53, 2_000_061_001])
def test_a_code_that_no_flow_may_end_with(code: int) -> None:
    """Computed codes have the bounds of written ones."""
    text = """
        inputs: {code: integer}
        steps:
          - id: end
            fail: {message: it went wrong, code: "${inputs.code}"}
    """
    with pytest.raises(FlowFailed, match=r"step `end`: .* code ") as caught:
        World().run(text, code=code)
    assert caught.value.code == 1


def test_a_missing_field_names_the_step_and_the_field() -> None:
    """An expression that fails says which step it stands in."""
    world = World([json_answer('{"name": "x"}')])
    text = (
        CALL.rstrip() + "\n      - name: answer\n        return: {x: '${steps.call.body.nmae}'}\n"
    )
    with pytest.raises(FlowFailed, match=r"step `answer`: .*nmae"):
        world.run(text)


def test_html_where_json_is_read_is_an_error_of_the_call() -> None:
    """A page instead of data fails the step that got it, not the one that reads it."""
    world = World([Response(200, {"content-type": "text/html"}, b"<html>Login</html>")])
    text = CALL.rstrip() + "\n      - return: {x: '${steps.call.body.name}'}\n"
    with pytest.raises(FlowFailed, match=r"step `call`: .*HTML.*<html>Login"):
        world.run(text)


def test_secrets_are_masked_in_what_a_downstream_echoes() -> None:
    """A server that repeats the secret in its error page does not reveal it to the caller."""
    echo = Response(400, {}, b"bad key hunter2+x and hunter2%2Bx and top-secret")
    world = World([echo], secrets={"API": "top-secret"})
    with pytest.raises(FlowFailed) as caught:
        world.run(CALL, key="hunter2+x")
    assert "hunter2" not in caught.value.public
    assert "top-secret" not in caught.value.public
    assert "bad key *** and *** and ***" in caught.value.public


def test_an_error_quotes_at_most_1000_characters_of_an_answer() -> None:
    """A huge error page is cut."""
    world = World([Response(500, {}, b"x" * 100_000)])
    with pytest.raises(FlowFailed) as caught:
        world.run(CALL)
    assert caught.value.public.count("x") < 1_020


def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    """Same host: all headers; another host: only those that tell nothing."""

    def redirect(url: str) -> Response:
        return Response(302, {"location": url}, b"")

    world = World([redirect("/y"), redirect("https://evil.example.net/z"), json_answer("{}")])
    world.run(
        """
        steps:
          - http: GET https://api.example.com/x
            headers: {X-Api-Key: k, Authorization: "Bearer ${flow.key}", Accept: text/x}
            follow_redirects: true
        """
    )
    sent = [{name.lower() for name in request.headers} for request in world.requests]
    assert {"x-api-key", "authorization"} <= sent[0] & sent[1]
    assert sent[2] == {"accept", "user-agent"}
    assert world.requests[2].url == "https://evil.example.net/z"


def test_a_body_does_not_follow_a_redirect_to_another_host() -> None:
    """307 to another host is refused: the body may hold what is not for it."""
    world = World([Response(307, {"location": "https://evil.example.net/"}, b"")])
    text = """
        steps:
          - http: POST https://api.example.com/x
            json: {a: 1}
            follow_redirects: true
    """
    with pytest.raises(FlowFailed, match="another host"):
        world.run(text)


def test_redirects_are_not_followed_unless_the_step_says_so() -> None:
    """The message says where it points and what to write."""
    world = World([Response(301, {"location": "https://new.example.com/?k=1"}, b"")])
    with pytest.raises(FlowFailed, match=r"redirects \(301\) to https://new.example.com/;.*follow"):
        world.run(CALL)


def test_values_cannot_change_where_a_request_goes() -> None:
    """A value in the path is encoded: it cannot add a segment, a query or a host."""

    def answer(request: Request) -> Response:
        return json_answer("{}")

    world = World([answer], env={})
    world.run(
        """
        inputs: {id: string}
        steps:
          - http: GET https://api.example.com/users/${inputs.id}/x
        """,
        id="../admin?a=b#@evil",
    )
    assert world.requests[0].url == ("https://api.example.com/users/..%2Fadmin%3Fa%3Db%23%40evil/x")


def test_an_output_of_the_wrong_type_is_an_error() -> None:
    """The flow's own promise is held against what it returns."""
    text = """
        outputs: {n: integer}
        steps:
          - return: {n: "${'12'}"}
    """
    with pytest.raises(FlowFailed, match='output `n`: expected an integer, got the text "12"'):
        World().run(text)


def test_a_trace_has_every_step_with_its_outcome_and_no_secret() -> None:
    """What ``--trace`` shows: order, nesting, outcome, values with secrets masked."""
    trace = Trace()
    World().run(
        """
        inputs: {pin: {type: string, secret: true}}
        outputs: {x: string}
        steps:
          - set: {copy: "pin is ${inputs.pin}"}
          - if: len(vars.copy) > 3
            then:
              - return: {x: "${vars.copy}"}
        """,
        trace,
        pin="98765",
    )
    assert [(e.verb, e.depth, e.outcome, e.value) for e in trace.entries] == [
        ("set", 0, "ok", {"copy": "pin is ***"}),
        ("if", 0, "return", {"x": "pin is ***"}),
        ("return", 1, "return", {"x": "pin is ***"}),
    ]


def test_what_is_secret_within_an_input_is_masked() -> None:
    """A property or an item that says ``secret`` is, wherever it stands; its neighbours are not."""
    with pytest.raises(FlowFailed, match=re.escape("*** anna *** *** none")):
        World().run(
            """
            inputs:
              login:
                type: object
                properties:
                  user: string
                  pins: {type: list, items: {type: integer, secret: true}}
                  password: {type: string, secret: true}
            steps:
              - fail:
                  message: >-
                    ${inputs.login.password} ${inputs.login.user} ${inputs.login.pins[0]}
                    ${inputs.login.pins[1]} ${default(inputs.login.none, 'none')}
            """,
            login={"user": "anna", "pins": [4711, 8150], "password": "hunter2"},
        )


@pytest.mark.parametrize("length", range(1_990, 2_003))
def test_a_message_is_cut_behind_the_masking(length: int) -> None:
    """Half a secret at the end of a long message would be known by nobody."""
    with pytest.raises(FlowFailed) as failed:
        World().run(
            """
            inputs: {pin: {type: string, secret: true}, before: string}
            steps:
              - fail: {message: "${inputs.before}${inputs.pin}"}
            """,
            pin="hunter2",
            before="-" * length,
        )
    assert "h" not in str(failed.value)
