"""Async runs: the answer at once, and every row of the polling table, from either worker."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.blackbox.client import POLL, TRIGGER, Answer, Client, eventually, query
from tests.blackbox.server import Server
from tests.downstream import Downstream


def stored(database: Path, run_id: str) -> tuple[str, str] | None:
    """Status and flow of a run, read from the store's file by nobody's leave."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        row: tuple[str, str] | None = connection.execute(
            "SELECT status, flow_key FROM instance WHERE id = ?", (run_id,)
        ).fetchone()
        return row


@pytest.mark.parametrize("prefix", ["/v1/open/flow", "/open/v1/flow"])
def test_the_answer_to_a_trigger(client: Client, prefix: str) -> None:
    """An async flow answers INIT at once, byte for byte."""
    answer = client.post(f"{prefix}/trigger/v1/async_example", {})
    assert re.fullmatch(r"async_[A-Za-z0-9]{16}", answer.run_id)
    assert answer.body == (
        b'{"success":true,"errorCode":0,"errorMsg":null,"result":'
        b'{"flowInstanceId":"%s","status":"INIT","data":null}}' % answer.run_id.encode()
    )
    client.ended(answer.run_id)


@pytest.mark.parametrize("prefix", ["/v1/open/flow", "/open/v1/flow"])
def test_a_run_that_finished(client: Client, prefix: str) -> None:
    """Its result is the outputs themselves, and its bytes never change."""
    instance = client.trigger("async_example").run_id
    first = client.ended(instance)
    assert first.status == 200
    assert first.body == b'{"success":true,"errorCode":0,"errorMsg":null,"result":{"userAge":18}}'
    assert first.headers["juggle-flow-status"] == "FINISH"
    assert "retry-after" not in first.headers
    target = query(f"{prefix}/getAsyncFlowResult/{instance}", juggleToken=client.token)
    assert {client.get(target).body for _ in range(10)} == {first.body}


def test_a_run_that_is_under_way(client: Client, gate: Downstream) -> None:
    """Polling answers null and says when to come back; every declared output comes in the end."""
    instance = client.trigger("fetch_async", url=gate.url).run_id
    gate.wait_for(1)
    answer = client.poll(instance)
    assert answer.status == 200
    assert answer.body == b'{"success":true,"errorCode":0,"errorMsg":null,"result":null}'
    assert answer.headers["juggle-flow-status"] == "RUNNING"
    assert answer.headers["retry-after"] == "1"
    gate.is_open.set()
    assert client.ended(instance).envelope["result"] == {"body": "7", "text": None}


def test_a_run_that_said_fail(client: Client) -> None:
    """The poll succeeds and tells of the failure, in the same bytes each time."""
    instance = client.trigger("failing_async").run_id
    first = client.ended(instance)
    assert first.status == 200
    assert first.body.decode() == (
        '{"success":false,"errorCode":4001,"errorMsg":"没有","result":null}'
    )
    assert first.headers["juggle-flow-status"] == "ABORT"
    assert {client.poll(instance).body for _ in range(10)} == {first.body}


def test_a_run_whose_step_failed(client: Client) -> None:
    """The message is that of a sync flow: which step, and why."""
    instance = client.trigger("broken_async", path="nowhere").run_id
    answer = client.ended(instance)
    assert answer.outcome == (200, 1)
    assert answer.message.startswith("系统错误: step `call`: GET /nowhere answered 404")


def test_a_run_that_is_late(client: Client, gate: Downstream) -> None:
    """An async flow has a deadline, too."""
    instance = client.trigger("late_async", url=gate.url).run_id
    answer = client.ended(instance)
    assert answer.outcome == (200, 2000061007)
    assert answer.message.startswith("流程执行超时: step `call`")


@pytest.mark.parametrize(
    "run_id",
    [
        "async_0000000000000000",
        "sync_0000000000000000",
        "async_000000000000000",
        "async_00000000000000000",
        "async_000000000000000é",
        "async_0000000000000000\n",
        "x",
        "' OR 1=1 --",
        "\x00",
        "..",
        "a" * 5000,
    ],
)
def test_an_unknown_id(client: Client, run_id: str) -> None:
    """Unknown and malformed ids are the same: there is no such instance."""
    answer = client.poll(run_id)
    assert answer.outcome == (404, 2000061005)
    assert answer.message == "流程实例不存在"
    assert "juggle-flow-status" not in answer.headers


def test_the_id_of_a_sync_run_is_not_kept(client: Client) -> None:
    """A sync run is answered, not stored."""
    assert client.poll(client.trigger("echo").run_id).outcome == (404, 2000061005)


def test_wrong_inputs_are_told_at_once(client: Client) -> None:
    """An async flow checks its inputs before it accepts a run."""
    assert client.trigger("async_example", userId="abc").outcome == (400, 2000061004)


def test_a_run_is_committed_before_its_id_is_answered(server: Server, client: Client) -> None:
    """Whoever has an id finds its row in the file, from another process, at once."""
    for _ in range(20):
        instance = client.post(TRIGGER + "async_example", {}).run_id
        row = stored(server.database, instance)
        assert row is not None
        assert row[1] == "async_example"
        client.ended(instance)


@pytest.mark.parametrize("starter", [0, 1])
def test_a_run_is_polled_from_the_other_worker(
    server: Server, client: Client, gate: Downstream, starter: int
) -> None:
    """The worker that did not start a run tells of it while it runs and when it has ended."""
    worker, other = server.workers[starter], server.workers[1 - starter]
    with server.only(worker):
        instance = client.trigger("fetch_async", url=gate.url).run_id
        gate.wait_for(1)
        here = client.poll(instance)
    with server.only(other):
        there = client.poll(instance)
    assert here.headers["juggle-flow-status"] == "RUNNING"
    assert (here.body, here.status) == (there.body, there.status)
    gate.is_open.set()
    first = client.ended(instance)

    def polled(worker: int) -> Answer:
        with server.only(worker):
            return client.get(POLL + instance, {"Juggle-Token": client.token})

    for each in server.workers:
        # A worker that is stopped in the middle of a write keeps the store locked: 503, ask again.
        answer = eventually(partial(polled, each), lambda found: found.status != 503)
        assert answer.body == first.body
