"""Another process keeps the lock of the store: everybody waits or is told to come back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.blackbox.client import eventually
from tests.chaos.fleet import fleet
from tests.chaos.judge import EXPECTED, Verdict, judge
from tests.chaos.load import Load
from tests.chaos.sink import Sink

FLOWS = ("straight", "again", "handled", "called")


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Let nobody else read or write the store, for a while."""
    with closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")


def lock_under_load(folder: Path, seconds: float, *further_ends: str) -> Verdict:
    """Keep the lock for a while under load, and let everything go on for another while."""
    with Sink() as sink, fleet(folder, LEASE="2s") as servers:
        with Load(servers.port, sink.url, FLOWS) as load:
            eventually(lambda: len(load.book.accepted), lambda count: count > 20)
            with locked(servers.server.database):
                threading.Event().wait(seconds)
            known = len(load.book.accepted)
            eventually(lambda: len(load.book.accepted), lambda count: count > known + 20, 30)
            book = load.stop()
        return judge(servers.client, book, sink, seconds=90, expected={*EXPECTED, *further_ends})
