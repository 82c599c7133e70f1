"""Every row of the error table, methods and paths that are not served, and the original's habit."""

from __future__ import annotations

import socket

import pytest

from tests.blackbox.client import POLL, TRIGGER, Answer, Client, exchange, request
from tests.blackbox.server import TOKEN, Server
from tests.transports import servers as downstreams

TRIGGERS = [f"{prefix}/trigger/v1/" for prefix in ("/v1/open/flow", "/open/v1/flow")]


@pytest.mark.parametrize(
    ("version", "key"),
    [
        ("v1", "no_such_flow"),
        ("v2", "echo"),
        ("v01", "echo"),
        ("V1", "echo"),
        ("1", "echo"),
        ("v1", "ECHO"),
        ("v1", "%E7%A4%BA%E4%BE%8B"),
        ("v1", "%00"),
        ("v1", "echo%00"),
        ("v1", ".."),
        ("v1", "%2e%2e"),
        ("v1", "echo%0a"),
        ("v1", "echo.yaml"),
        ("v1", "a" * 1000),
        ("..", "v1"),
    ],
)
def test_an_unknown_flow(client: Client, version: str, key: str) -> None:
    """A key or version that is not served is no flow, whatever it is made of."""
    target = f"/v1/open/flow/trigger/{version}/{key}"
    answer = client.send(request("GET", target, {"Juggle-Token": TOKEN}))
    assert answer.outcome == (404, 2000061001)
    assert answer.message == "流程不存在"


def test_a_disabled_flow(client: Client) -> None:
    """It says so before it looks at the inputs."""
    answer = client.trigger("disabled")
    assert answer.outcome == (403, 2000061003)
    assert answer.message == "流程未启用，无法调用"
    assert answer.envelope["result"] is None


def test_wrong_inputs(client: Client) -> None:
    """All problems are told at once, each with its input."""
    answer = client.trigger("sync_example", deposit="abc")
    assert answer.outcome == (400, 2000061004)
    assert answer.message.startswith("流程入参错误: ")
    assert all(f"{name}: " in answer.message for name in ("userName", "password", "deposit"))
    assert answer.envelope["result"] is None


def test_a_step_that_failed(client: Client) -> None:
    """The answer names the step and the instance."""
    answer = client.trigger("missing")
    assert answer.outcome == (500, 1)
    assert answer.message.startswith("系统错误: step `call`: GET /nowhere answered 404 Not Found")
    result = answer.envelope["result"]
    assert list(result) == ["flowInstanceId", "status", "data"]
    assert result["flowInstanceId"].startswith("sync_")
    assert (result["status"], result["data"]) == ("ABORT", None)


def test_a_flow_that_says_fail(client: Client) -> None:
    """Its message stands behind the words of code 1, or alone beside a code of its own."""
    answer = client.trigger("failing")
    assert (answer.outcome, answer.message) == ((500, 1), "系统错误: 没有")
    answer = client.trigger("failing", code=4)
    assert (answer.outcome, answer.message) == ((500, 4001), "没有")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1",
        "/v1/open/flow/trigger",
        "/v1/open/flow/trigger/v1",
        "/v1/open/flow/trigger/v1/",
        "/v1/open/flow/trigger/v1/echo/",
        "/v1/open/flow/trigger/v1/echo/x",
        "/v1/open/flow/trigger/v1/../../../etc/passwd",
        "/v1/open/flow/trigger/v1/%2e%2e%2fecho",
        "/v1/open/flow/trigger/v1//echo",
        "/v2/open/flow/trigger/v1/echo",
        "/v1/open/flow/getAsyncFlowResult/",
        "/static/x",
        "/favicon.ico",
        "/%",
        "/%ff%fe",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path(client: Client, target: str, method: str) -> None:
    """It is answered in the envelope with the status as its code."""
    answer = client.send(request(method, target, {"Juggle-Token": TOKEN}))
    assert answer.outcome == (404, 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "G-X"])
@pytest.mark.parametrize("path", TRIGGERS)
def test_a_method_that_triggers_nothing(client: Client, method: str, path: str) -> None:
    """405 in the envelope, with the methods that do."""
    answer = client.send(request(method, path + "echo", {"Juggle-Token": TOKEN}))
    assert answer.outcome == (405, 405)
    assert allowed(answer) == {"GET", "POST", "OPTIONS"}


def test_methods_of_polling(client: Client) -> None:
    """A result is fetched with GET only."""
    answer = client.post(POLL + "async_0000000000000000", {})
    assert answer.outcome == (405, 405)
    assert allowed(answer) == {"GET", "OPTIONS"}


def allowed(answer: Answer) -> set[str]:
    """The methods of the ``Allow`` header."""
    return set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("path", TRIGGERS)
def test_head_and_options_run_no_flow(client: Client, path: str) -> None:
    """A flow that calls a downstream calls it for GET, and for nothing that only asks."""
    headers = {"Juggle-Token": TOKEN}
    with downstreams.Server(downstreams.answering(downstreams.answer(b"1"))) as downstream:
        target = f"{path}fetch?url={downstream.url}"
        head = exchange(client.port, request("HEAD", target, headers))
        options = exchange(client.port, request("OPTIONS", target, headers))
        assert downstream.accepted == 0
        assert client.get(target, headers).data["status"] == 200
        assert downstream.accepted == 1
    assert (head.status, head.body) == (405, b"")
    assert (options.status, options.body) == (200, b"")
    assert allowed(head) == allowed(options) == {"GET", "POST", "OPTIONS"}


def test_head_accepts_no_run(client: Client) -> None:
    """HEAD on an async flow stores nothing, and on a result answers nothing."""
    for target in (TRIGGER + "async_example", POLL + "async_0000000000000000"):
        answer = exchange(client.port, request("HEAD", target, {"Juggle-Token": TOKEN}))
        assert (answer.status, answer.body) == (405, b"")


def test_the_status_table_of_the_original(lenient: Server) -> None:
    """With ``always-200``: 200 for everything but a bad token, codes and messages as ever."""
    client = lenient.client
    with socket.create_server(("127.0.0.1", 0)) as silent:
        late = client.trigger("hurried", url=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert late.outcome == (200, 2000061007)
    assert client.trigger("no_such_flow").outcome == (200, 2000061001)
    assert client.trigger("disabled").outcome == (200, 2000061003)
    assert client.trigger("sync_example").outcome == (200, 2000061004)
    assert client.trigger("failing").outcome == (200, 1)
    assert client.poll("async_0000000000000000").outcome == (200, 2000061005)
    assert client.get("/nowhere").outcome == (200, 404)
    assert client.send(request("DELETE", TRIGGER + "echo")).outcome == (200, 405)
    assert client.get(TRIGGER + "echo").outcome == (401, 2000011005)


def test_the_example_api_can_be_switched_off(lenient: Server) -> None:
    """With ``EXAMPLE_API=off`` its paths are unknown."""
    assert lenient.client.get("/example/user/getUserById?userId=1").outcome == (200, 404)


def test_a_memory_store_with_one_worker(lenient: Server) -> None:
    """One worker may keep its runs in memory."""
    instance = lenient.client.trigger("failing_async").run_id
    assert lenient.client.ended(instance).outcome == (200, 4001)
