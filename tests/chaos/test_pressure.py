"""More than can be done: what waits is bounded, and nobody waits for somebody else's slowness."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.blackbox.client import eventually
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.judge import ended, judge, word
from tests.chaos.load import Load
from tests.chaos.sink import Sink

MEGABYTE = 1_000
QUEUE = 40
THREADS = 4


def memory(servers: Fleet) -> int:
    """What the largest worker occupies, in kilobytes."""
    return max(
        int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
        for pid in servers.workers()
    )


def test_ten_times_the_load(tmp_path: Path) -> None:
    """Most are told to come back; who was accepted finishes, and memory stays where it was."""
    options = {"EXECUTOR": f"threads:{THREADS}", "QUEUE_SIZE": str(QUEUE), "LEASE": "2s"}
    # Two runs a second, so that even a busy machine can offer ten times as many.
    with Sink(4.0) as sink, fleet(tmp_path, workers=1, **options) as servers:
        with Load(servers.port, sink.url, ("quick",), callers=4, pause=0.01, polls=0) as load:
            eventually(lambda: len(load.book.refused), lambda count: count > 100, 30)
            before = memory(servers)
            eventually(lambda: len(load.book.refused), lambda count: count > 1_500, 60)
            after = memory(servers)
            book = load.stop()
        # What is accepted but not done fits the queue.
        done = len({effect.run for effect in sink.effects})
        assert len(book.accepted) - done <= QUEUE + THREADS
        verdict = judge(servers.client, book, sink, seconds=90, expected=("FINISH",))
    assert not verdict.diagnostics
    assert not verdict.broken
    assert len(book.refused) > 9 * len(book.accepted)
    assert after - before < 10 * MEGABYTE


def test_a_slow_downstream_is_its_own_problem(tmp_path: Path) -> None:
    """Runs of another flow pass those that wait for it, and those go on when it does."""
    with Sink() as sink, fleet(tmp_path, workers=1, LEASE="2s") as servers:
        client = servers.client
        slow = [
            client.trigger("slow", sink=sink.url, tag=f"slow {number}").run_id
            for number in range(100)
        ]
        eventually(lambda: len(sink.effects), lambda count: count >= 16)
        quick = [
            client.trigger("quick", sink=sink.url, tag=f"quick {number}").run_id
            for number in range(100)
        ]
        assert Counter(word(ended(client, run, 60)) for run in quick) == {"FINISH": 100}
        assert len({effect.run for effect in sink.effects} & set(slow)) == 16
        sink.opened.set()
        assert Counter(word(ended(client, run, 60)) for run in slow) == {"FINISH": 100}
        assert all(len(sink.of(run)) == 1 for run in slow)
