"""Async runs when there is no room, no store, or no time left."""

from __future__ import annotations

import http.client
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.blackbox.client import TRIGGER, Client, eventually
from tests.blackbox.server import Server, serving
from tests.downstream import SEVEN, Downstream

QUEUE = 100
"""Runs that may wait in the small server, where one is under way."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker that executes one async run at a time."""
    folder, options = tmp_path_factory.mktemp("small"), {"QUEUE_SIZE": str(QUEUE)}
    with serving(folder, EXECUTOR="threads:1", **options) as server:
        yield server


def rows(server: Server) -> dict[str, int]:
    """How many runs the store holds, by status."""
    with closing(sqlite3.connect(server.database)) as connection:
        return dict(connection.execute("SELECT status, count(*) FROM instance GROUP BY status"))


def submit(client: Client, url: str, times: int) -> list[int]:
    """Trigger an async flow again and again on one connection; the statuses."""
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
    headers = {"Juggle-Token": client.token, "Content-Type": "application/json"}
    body = json.dumps({"url": url})
    with closing(connection):
        statuses = []
        for _ in range(times):
            connection.request("POST", TRIGGER + "fetch_async", body, headers)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        return statuses


def test_the_queue_is_full(small: Server) -> None:
    """A run without a place is refused with a time to come back, and nothing of it is stored.

    One flow alone takes about three quarters of the queue, so another still has a place.
    """
    client = small.client
    with Downstream(SEVEN, is_open=False) as gate:
        statuses = submit(client, gate.url, QUEUE)
        accepted = statuses.count(200)
        assert statuses == [200] * accepted + [503] * (QUEUE - accepted)
        assert 0.7 * QUEUE < accepted < 0.8 * QUEUE
        gate.wait_for(1)
        before = rows(small)
        refused = client.trigger("fetch_async", url=gate.url)
        assert refused.outcome == (503, 2000061006)
        assert refused.message.startswith("系统繁忙: ")
        assert refused.headers["retry-after"] == "1"
        assert refused.envelope["result"] is None
        assert rows(small) == before == {"INIT": accepted - 1, "RUNNING": 1}
        assert client.trigger("failing_async").status == 200
        assert client.trigger("echo", text="a").data["text"] == "a"
        gate.is_open.set()
        last = client.trigger("fetch_async", url=gate.url)
        while last.status == 503:
            last = client.trigger("fetch_async", url=gate.url)
        # All others go before it, one at a time, each synced to disk four times.
        assert client.ended(last.run_id, 120).envelope["result"]["body"] == "7"
    assert rows(small) == {"FINISH": accepted + 1, "ABORT": 1}


def test_the_store_is_locked(small: Server) -> None:
    """While it cannot be written nor read, all callers are told to come back; then it heals."""
    client = small.client
    instance = client.trigger("async_example").run_id
    finished = client.ended(instance)
    before = rows(small)
    with closing(sqlite3.connect(small.database)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        view = f"{TRIGGER.partition('trigger')[0]}instances/{instance}"
        with ThreadPoolExecutor(4) as callers:
            answers = [
                callers.submit(client.trigger, "async_example"),
                callers.submit(client.poll, instance),
                callers.submit(client.get, view, {"Juggle-Token": client.token}),
                callers.submit(client.post, f"{view}/cancel", b""),
            ]
            for answer in answers:
                assert answer.result().outcome == (503, 2000061006)
                assert answer.result().headers["retry-after"] == "1"
        assert client.trigger("echo", text="a").data["text"] == "a"
        holder.rollback()
    assert rows(small) == before
    assert client.poll(instance).body == finished.body
    assert client.ended(client.trigger("async_example").run_id).envelope["errorCode"] == 0


def test_going_down(tmp_path: Path, gate: Downstream) -> None:
    """SIGTERM finishes requests and runs under way, keeps what is queued, and exits with 0."""
    with serving(tmp_path, workers=2, EXECUTOR="threads:2") as server:
        client = server.client
        runs = [client.trigger("fetch_async", url=gate.url).run_id for _ in range(20)]
        with ThreadPoolExecutor(1) as callers:
            request = callers.submit(client.trigger, "fetch", url=gate.url)
            gate.wait_for(3)
            server.process.terminate()
            eventually(lambda: server.log, lambda log: "Handling signal: term" in log)
            gate.is_open.set()
            assert server.wait() == 0
            assert request.result().data == {"status": 200, "body": "7"}
        kept = rows(server)
        assert kept["FINISH"] >= 2
        assert kept["FINISH"] + kept.get("INIT", 0) == len(runs)
        assert "Traceback" not in server.log
