"""Another process keeps the store's lock: everybody waits or is told to come back."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.blackbox.client import eventually
from tests.chaos.fleet import fleet
from tests.chaos.judge import EXPECTED, Verdict, judge
from tests.chaos.load import Load
from tests.chaos.lock import locked
from tests.chaos.sink import Sink

FLOWS = ("straight", "again", "handled", "called")


def lock_under_load(folder: Path, seconds: float, *further_ends: str) -> Verdict:
    """Keep the lock for a while under load, and let everything go on for another while."""
    with Sink() as sink, fleet(folder, LEASE="2s") as servers:
        with Load(servers.port, sink.url, FLOWS) as load:
            eventually(lambda: len(load.book.accepted), lambda count: count > 20, 20)
            with locked(servers.server.database):
                threading.Event().wait(seconds)
            known = len(load.book.accepted)
            eventually(lambda: len(load.book.accepted), lambda count: count > known + 20, 30)
            book = load.stop()
        return judge(servers.client, book, sink, seconds=90, expected={*EXPECTED, *further_ends})


def test_locked_for_three_seconds(tmp_path: Path) -> None:
    """Nobody who was answered is lost, nobody who was refused is carried out, nobody is doubled."""
    verdict = lock_under_load(tmp_path, 3)
    assert not verdict.findings
    assert verdict.ends["FINISH"] == verdict.accepted
    assert not verdict.broken
