"""Signals under load: no request fails, no run is lost, and everything goes on afterwards."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.blackbox.client import eventually
from tests.chaos.acts import reload
from tests.chaos.fleet import fleet, left_alone
from tests.chaos.judge import judge
from tests.chaos.load import Load
from tests.chaos.sink import Sink
from tests.downstream import Downstream

FLOWS = ("straight", "again", "handled", "called")
LEASE = "2s"
PATIENCE = 45
WELL = ("FINISH",)


def let_pass(seconds: float) -> None:
    """Let the load go on for a while."""
    threading.Event().wait(seconds)


def test_sigterm_under_load(tmp_path: Path) -> None:
    """It exits with 0, answers what it accepted; what is queued finishes after the next start."""
    with Sink() as sink, fleet(tmp_path, EXECUTOR="threads:2", LEASE=LEASE) as servers:
        with Load(servers.port, sink.url, FLOWS, pause=0.05) as load:
            eventually(lambda: len(load.book.accepted), lambda count: count > 60)
            assert servers.server.stop() == 0
            book = load.stop()
        finished = {effect.run for effect in sink.effects if effect.step == "three"}
        assert len(finished) < len(book.accepted), "nothing was queued: the test shows nothing"
        # The kernel may have taken a connection that no worker came to take from it.
        assert {error.partition("(")[0] for error in book.broken.values()} <= {
            "ConnectionRefusedError",
            "ConnectionResetError",
        }, book.broken
        servers.start()
        verdict = judge(servers.client, book, sink, seconds=PATIENCE, expected=WELL)
        carried_out = {effect.body.get("tag") for effect in sink.effects}
    assert not carried_out & set(book.broken)
    assert not verdict.diagnostics
    assert not book.refused
    assert "Traceback" not in servers.log


def test_sighup_under_load(tmp_path: Path) -> None:
    """Old workers go, new ones come, twice, and nobody who calls notices."""
    with Sink() as sink, fleet(tmp_path, LEASE=LEASE) as servers:
        with Load(servers.port, sink.url, FLOWS) as load:
            for _ in range(2):
                let_pass(0.5)
                reload(servers, random.Random())
            let_pass(0.5)
            book = load.stop()
        verdict = judge(servers.client, book, sink, seconds=PATIENCE, expected=WELL)
    assert not verdict.diagnostics
    assert not book.broken
    assert not book.refused
    assert "Traceback" not in servers.log


def test_workers_that_are_recycled(tmp_path: Path) -> None:
    """``--max-requests 50`` under load replaces workers again and again, and nobody notices."""
    options = ("--max-requests", "50")
    with Sink() as sink, fleet(tmp_path, arguments=options, LEASE=LEASE) as servers:
        with Load(servers.port, sink.url, FLOWS, pause=0.03) as load:
            eventually(lambda: len(servers.server.workers), lambda count: count >= 7, 60)
            book = load.stop()
        verdict = judge(servers.client, book, sink, seconds=PATIENCE, expected=WELL)
    assert not verdict.diagnostics
    assert not book.broken
    assert not book.refused
    assert "Traceback" not in servers.log


def test_a_worker_without_a_master(tmp_path: Path, gate: Downstream) -> None:
    """It notices within seconds, accepts no more, and goes when it has answered its requests."""
    with fleet(tmp_path, workers=1, LEASE=LEASE) as servers:
        orphans = servers.server
        with ThreadPoolExecutor(1) as callers:
            request = callers.submit(servers.client.trigger, "fetched", url=gate.url)
            gate.wait_for(1)
            orphans.process.kill()
            eventually(lambda: orphans.log, lambda log: "master is gone" in log)
            servers.start()
            gate.is_open.set()
            assert request.result().data == {"status": 200, "body": "7"}
        eventually(lambda: orphans.log, lambda log: "Worker exiting" in log)
        left_alone(orphans)
        assert "Traceback" not in orphans.log
