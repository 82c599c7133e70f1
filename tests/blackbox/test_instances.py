"""Runs for people, over HTTP: the view of a run in every state, and cancelling it in each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.blackbox.client import Answer, Client, eventually, request
from tests.blackbox.conftest import FILE_TOKEN
from tests.blackbox.server import API_KEY, Server, serving
from tests.downstream import Downstream
from tests.transports.servers import answer

PREFIXES = ["/v1/open/flow", "/open/v1/flow"]
KEYS = [
    "flowInstanceId", "flowKey", "flowVersion", "status", "data", "error", "attempt",
    "createdAt", "startedAt", "finishedAt", "steps",
]  # fmt: skip
STEP_KEYS = ["id", "verb", "status", "startedAt", "durationMs", "detail"]
CANCELLED = {"code": 2000061010, "reason": "cancelled", "message": "流程已取消"}


def show(client: Client, instance: str, prefix: str = PREFIXES[0]) -> dict[str, Any]:
    """The view of a run, which is there."""
    return checked(client.get(f"{prefix}/instances/{instance}", {"Juggle-Token": client.token}))


def cancel(client: Client, instance: str, prefix: str = PREFIXES[0]) -> dict[str, Any]:
    """The view of a run after it was asked to end."""
    return checked(client.post(f"{prefix}/instances/{instance}/cancel", b""))


def checked(answer: Answer) -> dict[str, Any]:
    """A view, whose form is the contract: these keys in this order, and times that fit."""
    assert answer.outcome == (200, 0), answer
    view: dict[str, Any] = answer.envelope["result"]
    assert list(view) == KEYS
    times = [view[key] for key in ("createdAt", "startedAt", "finishedAt")]
    for step in view["steps"]:
        assert list(step) == STEP_KEYS
        assert step["durationMs"] is None or step["durationMs"] >= 0
        times.append(step["startedAt"])
    for text in filter(None, times):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
        assert abs(datetime.fromisoformat(text).timestamp() - datetime.now().timestamp()) < 60
    assert (view["finishedAt"] is not None) is (view["status"] in ("FINISH", "ABORT"))
    return view


def ended(client: Client, instance: str) -> dict[str, Any]:
    """The view of a run, once it has ended."""
    return eventually(lambda: show(client, instance), lambda view: view["finishedAt"])


def steps(view: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Id, status and detail of each step."""
    return [(step["id"], step["status"], step["detail"]) for step in view["steps"]]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_run_that_finished(client: Client, prefix: str) -> None:
    """Who, when, how often, with what outcome, and its steps; the same bytes each time."""
    instance = client.trigger("async_example").run_id
    ended(client, instance)
    view = show(client, instance, prefix)
    assert {key: view[key] for key in KEYS[:7]} == {
        "flowInstanceId": instance,
        "flowKey": "async_example",
        "flowVersion": "v1",
        "status": "FINISH",
        "data": {"userAge": 18},
        "error": None,
        "attempt": 1,
    }
    assert view["createdAt"] <= view["startedAt"] <= view["finishedAt"]
    assert [(step["verb"], step["status"]) for step in view["steps"]] == [("http", "FINISH")]
    assert view["steps"][0]["detail"].startswith("GET /example/user/getUserById")
    assert view["steps"][0]["detail"].endswith(" → 200")
    assert show(client, instance) == view


def test_a_run_that_is_under_way(client: Client, gate: Downstream) -> None:
    """The step it is in is running, with no end and nothing to say yet."""
    instance = client.trigger("fetch_async", url=gate.url).run_id
    gate.wait_for(1)
    view = show(client, instance)
    assert (view["status"], view["data"], view["error"]) == ("RUNNING", None, None)
    assert steps(view) == [("call", "RUNNING", None)]
    assert view["steps"][0]["durationMs"] is None
    gate.is_open.set()
    view = ended(client, instance)
    assert view["data"] == {"body": "7", "text": None}
    assert steps(view) == [("call", "FINISH", "GET ${inputs.url} → 200")]


def test_runs_that_failed(client: Client) -> None:
    """Code, reason and message of the failure, and which step it was; a ``fail`` is no step."""
    view = ended(client, client.trigger("failing_async").run_id)
    assert view["error"] == {"code": 4001, "reason": "failed", "message": "没有"}
    assert (view["status"], view["data"], view["steps"]) == ("ABORT", None, [])
    view = ended(client, client.trigger("broken_async", path="nowhere").run_id)
    assert view["error"]["code"] == 1
    assert view["error"]["message"].startswith("系统错误: step `call`: GET /nowhere answered 404")
    assert [step[:2] for step in steps(view)] == [("call", "ABORT")]
    assert "404" in view["steps"][0]["detail"]


def test_a_run_that_was_late(client: Client, gate: Downstream) -> None:
    """Its reason is the timeout, and its step ended with it."""
    view = ended(client, client.trigger("late_async", url=gate.url).run_id)
    assert (view["error"]["code"], view["error"]["reason"]) == (2000061007, "timeout")
    assert [step[:2] for step in steps(view)] == [("call", "ABORT")]


@pytest.mark.parametrize(
    "run_id",
    [
        "async_0000000000000000",
        "sync_0000000000000000",
        "async_000000000000000",
        "async_00000000000000000",
        "async_000000000000000%C3%A9",
        "async_0000000000000000%0A",
        "x",
        "%27%20OR%201%3D1%20--",
        "%00",
        "a" * 5000,
    ],
)
def test_an_unknown_id(client: Client, run_id: str) -> None:
    """Unknown and malformed ids are the same for looking and for cancelling."""
    path = f"{PREFIXES[0]}/instances/{run_id}"
    for found in (
        client.get(path, {"Juggle-Token": client.token}),
        client.post(f"{path}/cancel", b""),
    ):
        assert found.outcome == (404, 2000061005)
        assert found.message == "流程实例不存在"


def test_the_id_of_a_sync_run_is_not_kept(client: Client) -> None:
    """A sync run is answered, not stored."""
    instance = client.trigger("echo").run_id
    path = f"{PREFIXES[0]}/instances/{instance}"
    assert client.get(path, {"Juggle-Token": client.token}).outcome == (404, 2000061005)


@pytest.mark.parametrize("token", ["", "sws_nobody"])
def test_without_a_token(client: Client, token: str) -> None:
    """Both need one, whether or not there is such a run."""
    instance = client.trigger("async_example").run_id
    for known in (instance, "async_0000000000000000"):
        path = f"{PREFIXES[0]}/instances/{known}"
        assert client.get(path, {"Juggle-Token": token}).outcome == (401, 2000011005)
        stopped = client.post(f"{path}/cancel", b"", {"Juggle-Token": token})
        assert stopped.outcome == (401, 2000011005)
    assert ended(client, instance)["status"] == "FINISH"


def test_a_token_for_other_flows(client: Client, gate: Downstream) -> None:
    """A run of a flow that the token does not cover is not there, and cannot be ended."""
    instance = client.trigger("fetch_async", url=gate.url).run_id
    gate.wait_for(1)
    path, limited = f"{PREFIXES[0]}/instances/{instance}", {"Juggle-Token": FILE_TOKEN}
    assert client.get(path, limited).outcome == (404, 2000061005)
    assert client.post(f"{path}/cancel", b"", limited).outcome == (404, 2000061005)
    gate.is_open.set()
    assert ended(client, instance)["status"] == "FINISH"


def test_the_token_as_a_parameter(client: Client) -> None:
    """Where no header can be sent, the parameter does: in the query, or in a form that cancels."""
    instance = client.trigger("async_example").run_id
    path = f"{PREFIXES[0]}/instances/{instance}"
    assert checked(client.get(f"{path}?juggleToken={client.token}"))
    form = f"juggleToken={client.token}"
    assert checked(client.post(f"{path}/cancel", form, {"Juggle-Token": ""}))


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("DELETE", ""), ("GET", "/cancel"), ("PUT", "/cancel")]
)
def test_other_methods(client: Client, method: str, path: str) -> None:
    """A look changes nothing and a change is a ``POST``; anything else is refused."""
    target = f"{PREFIXES[0]}/instances/async_0000000000000000{path}"
    found = client.send(request(method, target, {"Juggle-Token": client.token}))
    assert found.outcome == (405, 405)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_cancelling_a_step_under_way(client: Client, gate: Downstream, prefix: str) -> None:
    """The run ends at once; nobody waits for how the step comes out, and nothing follows it."""
    instance = client.trigger("fetch_async", url=gate.url).run_id
    gate.wait_for(1)
    view = cancel(client, instance, prefix)
    assert (view["status"], view["data"], view["error"]) == ("ABORT", None, CANCELLED)
    assert steps(view) == [("call", "UNKNOWN", None)]
    assert cancel(client, instance, prefix) == view
    gate.is_open.set()
    # Another run of the same worker or of the other one ends after it: the first had its chance.
    ended(client, client.trigger("fetch_async", url=gate.url).run_id)
    assert show(client, instance, prefix) == view
    poll = client.poll(instance)
    assert poll.outcome == (200, 2000061010)
    assert poll.message == "流程已取消"


@pytest.mark.parametrize("key", ["async_example", "failing_async"])
def test_cancelling_what_has_ended(client: Client, key: str) -> None:
    """It stays as it is, and is answered as it is."""
    instance = client.trigger(key).run_id
    view = ended(client, instance)
    assert cancel(client, instance) == view
    assert cancel(client, instance) == view == show(client, instance)


LANE = """\
mode: async
concurrency: 1
inputs:
  url: string
steps:
  - http: GET ${inputs.url}
"""


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, so that what waits is known to wait."""
    with serving(tmp_path_factory.mktemp("single")) as server:
        yield server


def write(server: Server, key: str, text: str) -> None:
    """Write a flow and return once it is served."""
    client = server.client
    before = client.get("/health").envelope["result"]["flows"]
    server.write_flow(key, text)
    eventually(lambda: client.get("/health").envelope["result"]["flows"], (before + 1).__eq__)


def test_cancelling_what_waits(single: Server, gate: Downstream) -> None:
    """A run that has not begun never begins."""
    client = single.client
    write(single, "lane", LANE)
    first = client.trigger("lane", url=gate.url).run_id
    gate.wait_for(1)
    second = client.trigger("lane", url=gate.url).run_id
    assert (show(client, second)["status"], show(client, second)["attempt"]) == ("INIT", 0)
    view = cancel(client, second)
    assert (view["status"], view["startedAt"], view["steps"]) == ("ABORT", None, [])
    assert view["error"] == CANCELLED
    gate.is_open.set()
    third = client.trigger("lane", url=gate.url).run_id
    assert ended(client, third)["status"] == ended(client, first)["status"] == "FINISH"
    assert cancel(client, second) == view
    assert len(gate.requests) == 2


SECRETIVE = """\
mode: async
inputs:
  url: string
  pin: {type: string, secret: true}
outputs:
  pin: string
  pins: list
  known: string
steps:
  - id: first
    http: POST ${inputs.url}/${inputs.pin}
    json: {pin: "${inputs.pin}"}
    headers: {X-Api-Key: "${secrets.API_KEY}"}
    on_error: continue
  - when: inputs.pin == "throw away"
    fail: {message: "${inputs.pin} and ${secrets.API_KEY}", code: 77}
  - return: {pin: "${inputs.pin}", pins: ["${inputs.pin}"], known: "${secrets.API_KEY}"}
"""


@pytest.mark.parametrize("pin", ["throw away", "4711 + 'hunter2'"])
def test_secrets_are_masked(single: Server, pin: str) -> None:
    """Neither a url nor an answer that quotes it, neither outputs nor messages show one."""
    client = single.client
    if not (single.flows / "secretive_async").exists():
        write(single, "secretive_async", SECRETIVE)
    echo = answer(f"{pin} {API_KEY}".encode(), status="500 Internal Server Error")
    with Downstream(echo) as downstream:
        instance = client.trigger("secretive_async", url=downstream.url, pin=pin).run_id
        view = ended(client, instance)
    assert [step[:2] for step in steps(view)] == [("first", "ABORT")]
    assert "***" in view["steps"][0]["detail"]
    if pin == "throw away":
        assert view["error"] == {"code": 77, "reason": "failed", "message": "*** and ***"}
    else:
        assert view["data"] == {"pin": "***", "pins": ["***"], "known": "***"}
    text = json.dumps(view, ensure_ascii=False)
    assert pin not in text
    assert API_KEY not in text


NAMES = """\
mode: async
steps:
  - http: GET /example/user/getUserById
  - http: GET /example/user/nobody
    on_error:
      - http: GET /example/user/getUserById
  - name: Somebody
    http: GET /example/user/getUserById
"""


def test_steps_without_a_name(single: Server) -> None:
    """They are called by their place in the file, so that equal verbs are told apart."""
    write(single, "names", NAMES)
    view = ended(single.client, single.client.trigger("names").run_id)
    assert [step[:2] for step in steps(view)] == [
        ("0", "FINISH"),
        ("1", "ABORT"),
        ("1/on_error/0", "FINISH"),
        ("Somebody", "FINISH"),
    ]


def many_steps(count: int) -> str:
    """A flow of this many steps that are journaled, and with as much output."""
    lines = ["mode: async", "outputs: {text: string}", "steps:"]
    lines += ["  - http: GET /example/user/getUserById"] * count
    text = "x" * 100_000
    return "\n".join([*lines, f"  - return: {{text: {text}}}"]) + "\n"


def test_the_view_is_bounded(single: Server) -> None:
    """The last 200 steps; outputs that are too long are left to polling, which has them all."""
    write(single, "many", many_steps(203))
    instance = single.client.trigger("many").run_id
    view = ended(single.client, instance)
    assert [step["id"] for step in view["steps"]] == [str(number) for number in range(3, 203)]
    assert (view["status"], view["data"], view["error"]) == ("FINISH", None, None)
    assert len(single.client.poll(instance).envelope["result"]["text"]) == 100_000


def test_a_run_whose_flow_is_gone(single: Server) -> None:
    """The view stays, but for the outputs once nobody knows any more what of them is secret."""
    client = single.client
    write(single, "gone", "mode: async\noutputs: {n: integer}\nsteps:\n  - return: {n: 1}\n")
    view = ended(client, instance := client.trigger("gone").run_id)
    assert view["data"] == {"n": 1}
    (single.flows / "gone" / "v1.yaml").unlink()
    eventually(lambda: client.trigger("gone").status, (404).__eq__)
    found = show(client, instance)
    assert found["data"] in ({"n": 1}, None)
    assert {**found, "data": view["data"]} == view
    assert client.poll(instance).envelope["result"] == {"n": 1}


def test_the_habit_of_the_original(lenient: Server) -> None:
    """Where everything is 200, an unknown id is too; the memory store shows the same view."""
    client = lenient.client
    path = f"{PREFIXES[0]}/instances/async_0000000000000000"
    assert client.get(path, {"Juggle-Token": client.token}).outcome == (200, 2000061005)
    view = ended(client, client.trigger("failing_async").run_id)
    assert view["error"]["code"] == 4001
    assert cancel(client, view["flowInstanceId"]) == view
