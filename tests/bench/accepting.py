"""*accepting*: async triggers with the file store, beside bare commits of the same two rows.

What is accepted is executed at once, in the same processes, and its claim and its end are written
to the same file. So there are two figures: runs accepted a second while triggers come, and runs
ended a second, from the first trigger until the last run has ended. The flow ``parked`` only waits,
one run at a time: it shows accepting with next to no executing. Its server is a new one each time,
as what it leaves in the queue would disturb the others.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench import commits
from tests.bench.processes import Server
from tests.bench.rounds import interleave, ratio
from tests.bench.table import table
from tests.bench.workplace import ASYNC_TARGET, SHIPPED, Reading, Workplace, flows

CONNECTIONS = 64
PROCESSES = 2
QUEUE = {"SITESWAP_QUEUE_SIZE": "1000000"}
"""Runs may come faster than they end, and none of them is to be refused."""
DRAIN_SECONDS = 300.0
PLAIN, EAGER, NOOP, PARKED = (
    "bare commits", "bare commits, eager", "accepted, executed meanwhile", "accepted, parked",
)  # fmt: skip
COLUMNS = ("", "a second", "from – to", "p50 ms", "p99 ms", "CPU µs", "of bare", "of eager")


@dataclass(frozen=True, slots=True)
class Taken:
    """How many a second were accepted, and how many ended, if that was waited for."""

    accepted: float
    reading: Reading | None = None
    ended: float | None = None


def report(place: Workplace, rounds: int, seconds: int) -> str:
    """Measure, and say it in a table."""
    file = place.folder / "bare.db"
    with place.gunicorn("wsgi:app", SHIPPED, QUEUE) as server:
        subjects = {
            PLAIN: partial(_bare, file, seconds, commits.PLAIN),
            EAGER: partial(_bare, file, seconds, commits.EAGER),
            NOOP: partial(_executed, place, server, seconds),
            PARKED: partial(_parked, place, seconds),
        }
        for warm_up in subjects.values():
            warm_up()
        readings = interleave(subjects, rounds)
    title = f"accepting: async runs, {CONNECTIONS} clients (target: 0.5 of bare commits)"
    return table(title, COLUMNS, _rows(readings))


def _bare(file: Path, seconds: int, waiting: str) -> Taken:
    return Taken(commits.rate(file, seconds, PROCESSES, waiting))


def _executed(place: Workplace, server: Server, seconds: int) -> Taken:
    began = time.monotonic()
    reading = flows(server, ASYNC_TARGET.format(key="noop"), CONNECTIONS, seconds)
    # The next reading must not pay for what this one has left.
    _wait_for_the_last(place.store_of(server))
    return Taken(reading.load.rate, reading, reading.load.count / (time.monotonic() - began))


def _parked(place: Workplace, seconds: int) -> Taken:
    target = ASYNC_TARGET.format(key="parked")
    with place.gunicorn("wsgi:app", SHIPPED, QUEUE) as server:
        flows(server, target, CONNECTIONS, 1)
        reading = flows(server, target, CONNECTIONS, seconds)
    return Taken(reading.load.rate, reading)


def _wait_for_the_last(store: Path) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        while connection.execute("SELECT 1 FROM instance WHERE ended_at IS NULL").fetchone():
            if time.monotonic() > deadline:
                raise RuntimeError("accepted runs do not end")
            time.sleep(0.02)


def _rows(readings: Mapping[str, Sequence[Taken]]) -> list[tuple[str, ...]]:
    rates = {name: [each.accepted for each in found] for name, found in readings.items()}
    rates["… ended, to the last one"] = [each.ended or 0.0 for each in readings[NOOP]]
    return [
        (name, *_speed(found), *_cost(readings.get(name, ())), *_ratios(found, rates))
        for name, found in rates.items()
    ]


def _speed(rates: Sequence[float]) -> tuple[str, str]:
    return f"{median(rates):,.0f}", f"{min(rates):,.0f} – {max(rates):,.0f}"


def _cost(found: Sequence[Taken]) -> tuple[str, str, str]:
    readings = [each.reading for each in found if each.reading]
    if not readings:
        return "", "", ""
    return (
        f"{median(each.load.p50 for each in readings):.0f}",
        f"{median(each.load.p99 for each in readings):.0f}",
        f"{median(each.cpu for each in readings):.0f}",
    )


def _ratios(found: Sequence[float], rates: Mapping[str, Sequence[float]]) -> tuple[str, str]:
    return f"{ratio(found, rates[PLAIN]):.2f}", f"{ratio(found, rates[EAGER]):.2f}"
