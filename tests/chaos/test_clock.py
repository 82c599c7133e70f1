"""The clock jumps by two days, there and back: who lives is not taken for gone."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.blackbox.client import eventually
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.judge import ended, judge, word
from tests.chaos.load import Load
from tests.chaos.sink import Sink

FLOWS = ("straight", "again", "handled")
DAY = 86_400
JUMPS = (2 * DAY, -2 * DAY, 0)
"""Seconds from the true time, one after the other."""
SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """The wall clock of a fleet; nothing else of its time is moved."""

    def __init__(self, folder: Path) -> None:
        library = folder / "clock.so"
        compiler = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(compiler, check=True, capture_output=True, timeout=60)
        self._file = (folder / "clock").open("w+b", buffering=0)
        self.jump(0)
        self.environment = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": self._file.name}

    def jump(self, seconds: int) -> None:
        """Go to so many seconds from the true time."""
        self._file.seek(0)
        self._file.write(struct.pack("=q", seconds))

    def close(self) -> None:
        """Let go of it; processes that have it keep it as it is."""
        self._file.close()


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    """A clock to be moved, made with the C compiler that must be there where the gate is."""
    if shutil.which("cc") is None and "CI" not in os.environ:
        pytest.skip("install a C compiler to run this test")
    with closing(Clock(tmp_path)) as clock:
        yield clock


def date(servers: Fleet) -> float:
    """What the server takes for the time, in seconds since the epoch."""
    return parsedate_to_datetime(servers.client.get("/health").headers["date"]).timestamp()


def test_the_clock_jumps(tmp_path: Path, clock: Clock) -> None:
    """Runs that are under way go on where they are, and the others do not notice either."""
    with Sink() as sink, fleet(tmp_path, LEASE="1s", environment=clock.environment) as servers:
        true = date(servers)
        held = [
            servers.client.trigger("slow", sink=sink.url, tag=f"held {number}").run_id
            for number in range(6)
        ]
        with Load(servers.port, sink.url, FLOWS) as load:
            for to in JUMPS:
                clock.jump(to)
                known = len(load.book.accepted)
                eventually(lambda: len(load.book.accepted), lambda n, k=known: n > k + 60, 30)
                assert abs(date(servers) - true - to) < DAY / 2
            book = load.stop()
        sink.opened.set()
        assert [word(ended(servers.client, run, 60)) for run in held] == ["FINISH"] * len(held)
        assert all(len(sink.of(run)) == 1 for run in held)
        verdict = judge(servers.client, book, sink, seconds=40, expected=("FINISH",))
        assert "took over" not in servers.log
    assert not verdict.diagnostics
    assert not verdict.broken
