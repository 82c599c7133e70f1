"""*scaling*: the same runs, each of which waits 100 ms, with 1, 2 and 4 Celery workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

from tests.bench.processes import Server
from tests.bench.rounds import ratio
from tests.bench.table import table
from tests.bench.workplace import ASYNC_TARGET, HEADERS, SHIPPED, Workplace
from tests.blackbox.workers import Workers
from tests.redis_server import RedisServer, redis_server

RUNS = 300
WORKERS = (1, 2, 4)
POOL = 2
"""Processes of each worker, and so runs that it executes at once."""
LONGEST = 120.0
COMMAND = ("-A", "wsgi.celery", "worker", "--loglevel", "info", "--without-mingle")
COLUMNS = ("Celery workers", "runs/s", "from – to", "of linear")


def report(place: Workplace, rounds: int) -> str:
    """Measure, and say it in a table."""
    with ExitStack() as stack:
        store = stack.enter_context(redis_server(place.folder / "store", appendonly="yes"))
        broker = stack.enter_context(redis_server(place.folder / "broker"))
        settings = {
            "SITESWAP_STORE": store.url,
            "SITESWAP_EXECUTOR": "celery",
            "SITESWAP_BROKER": broker.url,
            "SITESWAP_FLOWS_DIR": str(place.folder / "flows"),
        }
        server = stack.enter_context(place.gunicorn("wsgi:app", SHIPPED, settings))
        readings = [_round(place.folder, server, store, settings) for _ in range(rounds)]
    title = f"scaling: {RUNS} runs of 100 ms, {POOL} at once in a worker (target: 0.85 of linear)"
    return table(title, COLUMNS, _rows(readings))


def _round(
    folder: Path, server: Server, store: RedisServer, settings: Mapping[str, str]
) -> dict[int, float]:
    """Runs a second, while workers are added."""
    found: dict[int, float] = {}
    workers: list[Workers] = []
    with ExitStack() as stack:
        for number in range(max(WORKERS)):
            name = ("--hostname", f"worker{number}@%h")
            workers.append(Workers(folder, settings, (*COMMAND, *name), f"worker{number}.log"))
            stack.callback(workers[-1].stop)
            if len(workers) in WORKERS:
                _execute(server, store, workers, POOL * len(workers))
                found[len(workers)] = _execute(server, store, workers, RUNS)
    return found


def _execute(server: Server, store: RedisServer, workers: Sequence[Workers], count: int) -> float:
    """Runs a second, from when the workers may begin; all have been accepted by then."""
    with _standing_still(workers):
        for _ in range(count):
            _trigger(server)
    began = time.monotonic()
    _wait_for_the_last(store)
    return count / (time.monotonic() - began)


@contextmanager
def _standing_still(workers: Sequence[Workers]) -> Iterator[None]:
    for each in workers:
        os.killpg(each.process.pid, signal.SIGSTOP)
    yield
    for each in workers:
        os.killpg(each.process.pid, signal.SIGCONT)


def _trigger(server: Server) -> None:
    with urlopen(Request(server.url(ASYNC_TARGET.format(key="brief")), headers=HEADERS)):
        pass


def _wait_for_the_last(store: RedisServer) -> None:
    deadline = time.monotonic() + LONGEST
    with store.client() as client:
        while client.exists("{siteswap}:holders"):
            if time.monotonic() > deadline:
                raise RuntimeError("accepted runs do not end")
            time.sleep(0.01)


def _rows(readings: Sequence[Mapping[int, float]]) -> list[tuple[str, ...]]:
    rates = {count: [each[count] for each in readings] for count in WORKERS}
    base = rates[1]
    return [
        (
            str(count),
            f"{median(found):.1f}",
            f"{min(found):.1f} – {max(found):.1f}",
            f"{ratio(found, base) / count:.2f}",
        )
        for count, found in rates.items()
    ]
