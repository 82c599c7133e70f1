"""Loops, branches, called flows and waits through a whole server, sync and async."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blackbox.client import Answer, eventually
from tests.blackbox.server import Server, serving
from tests.downstream import Downstream
from tests.transports.servers import answer

JSON = "Content-Type: application/json\r\n"

BRANCHES = """\
inputs: {url: string}
outputs: {all: list}
steps:
  - id: both
    parallel:
      a: [{http: "GET ${inputs.url}"}]
      b: [{http: "GET ${inputs.url}"}]
      c: [{http: "GET ${inputs.url}"}]
  - return: {all: "${[steps.both.a.body, steps.both.b.body, steps.both.c.body]}"}
"""
ROUNDS = """\
inputs: {url: string}
outputs: {all: list}
steps:
  - id: each
    for_each: [1, 2, 3]
    concurrency: 3
    steps:
      - {id: call, http: "GET ${inputs.url}"}
    collect: steps.call.body
  - return: {all: "${steps.each}"}
"""
POLLING = """\
inputs: {url: string}
outputs: {looks: integer}
steps:
  - repeat: {until: steps.look.body.done, every: 50ms, max: 10}
    steps:
      - {id: look, http: "GET ${inputs.url}"}
      - set: {looks: "${index + 1}"}
  - return: {looks: "${vars.looks}"}
"""
CALLING = """\
inputs: {n: integer}
outputs: {n: integer}
steps:
  - {id: sub, call: called/v1, with: {n: "${inputs.n}"}}
  - return: {n: "${steps.sub.n}"}
"""
CALLED = """\
enabled: false
inputs: {n: integer}
outputs: {n: integer}
steps:
  - when: inputs.n > 100
    fail: {message: too much, code: 4001}
  - return: {n: "${inputs.n * 2}"}
"""
WAITING = """\
outputs: {waited: boolean}
steps:
  - wait: 1500ms
  - return: {waited: true}
"""
PARKED = """\
mode: async
timeout: 10m
inputs: {url: string, time: string}
outputs: {n: integer}
steps:
  - for_each: [1]
    steps:
      - {http: "POST ${inputs.url}"}
      - switch:
          - when: inputs.time == 'long'
            then: [{wait: 5m}]
          - else: [{wait: 4s}]
  - {http: "POST ${inputs.url}"}
  - return: {n: 2}
"""
MANY = """\
mode: async
inputs: {url: string}
steps:
  - for_each: "[0] * 120"
    steps:
      - id: user
        http: GET ${inputs.url}
      - parallel:
          left: [{http: "GET ${inputs.url}"}]
"""
BOTH_MODES = {
    "branches": BRANCHES, "rounds": ROUNDS, "polling": POLLING, "calling": CALLING,
    "waiting": WAITING,
}  # fmt: skip


def write_flows(server: Server) -> None:
    """All flows of this page, once they are served; some in both modes, with ``_async`` behind."""
    texts = {"parked": PARKED, "many": MANY}
    for key, text in BOTH_MODES.items():
        texts |= {key: text, f"{key}_async": f"mode: async\n{text}"}
    for key, text in {**texts, "called": CALLED}.items():
        server.write_flow(key, text)
    for worker in server.workers:
        with server.only(worker):
            eventually(lambda: server.client.trigger("called", n=1).status, (403).__eq__)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers with the flows of this page, which met no bug."""
    with serving(tmp_path_factory.mktemp("verbs"), workers=2) as server:
        write_flows(server)
        yield server
    assert "Traceback" not in server.log


def outputs(server: Server, key: str, **inputs: Any) -> Any:
    """What a flow gives in the end, in either mode."""
    answer = server.client.trigger(key, **inputs)
    if key.endswith("_async"):
        return server.client.ended(answer.run_id).envelope["result"]
    return answer.data


class Call(threading.Thread):
    """A request that is under way while the test does something else."""

    def __init__(self, server: Server, key: str, **inputs: Any) -> None:
        super().__init__(daemon=True)
        self.given: Any = None
        self._what = (server, key, inputs)
        self.start()

    def run(self) -> None:
        server, key, inputs = self._what
        self.given = outputs(server, key, **inputs)


@pytest.mark.parametrize("key", ["branches", "branches_async", "rounds", "rounds_async"])
def test_they_are_under_way_at_once(server: Server, gate: Downstream, key: str) -> None:
    """Three requests of one run wait beside each other, and their answers come in order."""
    call = Call(server, key, url=gate.url)
    gate.wait_for(3)
    gate.is_open.set()
    call.join(10)
    assert call.given == {"all": [7, 7, 7]}


@pytest.mark.parametrize("key", ["polling", "polling_async"])
def test_polling_a_slow_api(server: Server, key: str) -> None:
    """It looks until the answer says so, and no further."""
    busy, done = answer(b'{"done":false}', JSON), answer(b'{"done":true}', JSON)
    with Downstream(busy, busy, done) as downstream:
        assert outputs(server, key, url=downstream.url) == {"looks": 3}
        assert len(downstream.requests) == 3


@pytest.mark.parametrize("key", ["calling", "calling_async"])
def test_calling_a_flow(server: Server, key: str) -> None:
    """It is called though it is disabled for others; its code ends the caller."""
    assert outputs(server, key, n=21) == {"n": 42}
    failed: Answer = server.client.trigger(key, n=101)
    if key.endswith("_async"):
        failed = server.client.ended(failed.run_id)
    assert failed.envelope["errorCode"] == 4001
    assert failed.message.endswith("too much")


def test_a_called_flow_changes_under_its_callers(server: Server) -> None:
    """Without a restart, in each worker; a broken one changes nothing."""

    def both() -> set[int]:
        found = set()
        for worker in server.workers:
            with server.only(worker):
                found.add(server.client.trigger("calling", n=5).data["n"])
        return found

    server.write_flow("called", CALLED.replace("* 2", "* 3"))
    eventually(both, lambda found: found == {15})
    server.write_flow("called", "steps: [")
    eventually(lambda: server.log.count("called/v1.yaml has errors"), (2).__eq__)
    assert both() == {15}
    server.write_flow("called", CALLED)
    eventually(both, lambda found: found == {10})


def test_a_waiting_request_is_in_nobodys_way(server: Server) -> None:
    """Its worker answers others meanwhile."""
    with server.only(server.workers[0]):
        calls = [Call(server, "waiting") for _ in range(20)]
        seconds = [server.client.trigger("calling", n=1).seconds for _ in range(5)]
        assert any(call.is_alive() for call in calls)
        for call in calls:
            call.join(10)
    assert min(seconds) < 1
    assert [call.given for call in calls] == [{"waited": True}] * 20


def test_a_parked_run_can_be_cancelled(server: Server) -> None:
    """At once, and nothing of it happens later."""
    with Downstream() as downstream:
        run = server.client.trigger("parked", url=downstream.url, time="long").run_id
        view = waiting_view(server, run)
        assert [(step["id"], step["status"]) for step in view["steps"]] == [
            ("0[0]/0", "FINISH"),
            ("0[0]/1/switch/0/then/0", "RUNNING"),
        ]
        began = time.monotonic()
        server.client.post(f"/v1/open/flow/instances/{run}/cancel", b"")
        assert server.client.ended(run).envelope["errorCode"] == 2000061010
        assert time.monotonic() - began < 5
        assert len(downstream.requests) == 1


def waiting_view(server: Server, run: str) -> dict[str, Any]:
    """The view of a run that waits."""
    return eventually(
        lambda: view_of(server, run),
        lambda view: [step["verb"] for step in view["steps"]] == ["http", "wait"],
    )


def view_of(server: Server, run: str) -> dict[str, Any]:
    """The view of a run."""
    headers = {"Juggle-Token": server.client.token}
    view: dict[str, Any] = server.client.get(f"/v1/open/flow/instances/{run}", headers).envelope[
        "result"
    ]
    return view


def test_the_view_of_rounds_and_branches(server: Server) -> None:
    """Each says which round and branch it is; of many the last 200 are shown."""
    with Downstream() as downstream:
        run = server.client.trigger("many", url=downstream.url).run_id
        assert server.client.ended(run).envelope["success"]
        steps = view_of(server, run)["steps"]
    assert len(steps) == 200
    assert [step["id"] for step in steps[-2:]] == ["user (0[119]/0)", "0[119]/1/parallel/left/0"]


def test_a_waiting_run_survives_the_whole_server(tmp_path: Path) -> None:
    """After ``kill -9`` of all its processes and a new start it goes on behind its wait."""
    with Downstream() as downstream:
        with serving(tmp_path, workers=2) as server:
            write_flows(server)
            run = server.client.trigger("parked", url=downstream.url, time="short").run_id
            waiting_view(server, run)
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
        with serving(tmp_path, workers=2) as server:
            assert server.client.poll(run).headers["juggle-flow-status"] == "RUNNING"
            assert server.client.ended(run).envelope["result"] == {"n": 2}
        assert len(downstream.requests) == 2
