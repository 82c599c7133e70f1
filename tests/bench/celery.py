"""*celery*: runs that wait 100 ms for a downstream, executed by 1, 2 and 4 workers of Celery.

Each worker is the ordinary ``celery -A wsgi.celery worker`` with the same ``--concurrency``. Store
and broker are one Redis, which syncs every write. The runs are triggered over HTTP while the
workers are up and told not to consume, so that accepting, which needs the processor, is not part
of it. What counts is the time from the first claim to the last end, as the store has them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from statistics import median

from celery import Celery

from app.runs.executors.celery_broker import QUEUE
from app.runs.run import RunRecord, Status
from app.runs.stores.redis import RedisStore
from tests.bench.downstream import SOON_SECONDS
from tests.bench.processes import Server, cpu_seconds
from tests.bench.rounds import interleave, ratio
from tests.bench.table import table
from tests.bench.workplace import ASYNC_TARGET, HEADERS, SHIPPED, Workplace
from tests.redis_server import RedisServer

WORKERS = (1, 2, 4)
CONCURRENCY = 2
"""Eight runs at once under four workers: two cores have time for them."""
RUNS = 200
CALLERS = 8
WARM_UP = 4 * CONCURRENCY
"""Runs for each worker: they bring every one of its processes to life."""
DRAIN_SECONDS = 120.0
ANSWER_SECONDS = 10.0
BRPOP_SECONDS = 1.0
"""How long a worker's request to Redis for the next message lasts, if there is none."""
RETENTION_SECONDS = 86_400.0
UNENDED = (Status.INIT, Status.RUNNING)
COLUMNS = ("", "runs/s", "from – to", "of the ideal", "CPU ms/run", "of linear")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server that accepts, the Redis behind it, and what workers must be told."""

    place: Workplace
    server: Server
    store: RedisStore
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pace:
    """Runs a second, and the CPU time in ms that the workers used for each."""

    rate: float
    cpu: float


def report(place: Workplace, rounds: int) -> str:
    """Measure, and say it in a table."""
    with _cluster(place) as cluster:
        subjects = {str(workers): partial(_pace, cluster, workers) for workers in WORKERS}
        readings = interleave(subjects, rounds)
    title = (
        f"celery: {RUNS} runs that wait {SOON_SECONDS * 1000:.0f} ms, "
        f"--concurrency {CONCURRENCY} (target: 0.85 of linear)"
    )
    return table(title, COLUMNS, _rows(readings))


@contextmanager
def _cluster(place: Workplace) -> Iterator[Cluster]:
    folder = place.folder / "redis"
    folder.mkdir()
    redis = RedisServer(folder, appendonly="yes")
    settings = {
        "SITESWAP_STORE": redis.url,
        "SITESWAP_EXECUTOR": "celery",
        "SITESWAP_BROKER": redis.url.removesuffix("/0") + "/1",
    }
    store = RedisStore(redis.url, retention=RETENTION_SECONDS)
    try:
        with closing(store), place.gunicorn("wsgi:app", SHIPPED, settings) as server:
            yield Cluster(place, server, store, settings)
    finally:
        redis.kill()


def _pace(cluster: Cluster, workers: int) -> Pace:
    with ExitStack() as stack:
        pids = [
            stack.enter_context(
                cluster.place.celery(f"worker{number}", CONCURRENCY, cluster.settings)
            )
            for number in range(workers)
        ]
        _accept(cluster, WARM_UP * workers)
        _wait_for_the_last(cluster)
        with _idle(cluster, workers):
            _accept(cluster, RUNS)
        before = sum(map(cpu_seconds, pids))
        _wait_for_the_last(cluster)
        cpu = sum(map(cpu_seconds, pids)) - before
    runs = _newest(cluster)
    began = min(run.started_at or run.created_at for run in runs)
    ended = max(run.ended_at or math.inf for run in runs)
    return Pace(len(runs) / (ended - began), cpu / len(runs) * 1000)


@contextmanager
def _idle(cluster: Cluster, workers: int) -> Iterator[None]:
    """Have all workers take no message until the block ends."""
    control = Celery(broker=cluster.settings["SITESWAP_BROKER"], set_as_current=False).control
    _tell_all(control.cancel_consumer, workers)
    # A request to Redis for the next message may still be under way.
    time.sleep(2 * BRPOP_SECONDS)
    yield
    _tell_all(control.add_consumer, workers)


def _tell_all(command: Callable[..., list[object]], workers: int) -> None:
    answers = command(QUEUE, reply=True, limit=workers, timeout=ANSWER_SECONDS)
    if len(answers) != workers:
        raise RuntimeError(f"{workers} workers should have answered: {answers}")


def _accept(cluster: Cluster, count: int) -> None:
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(partial(_trigger, cluster.server), [count // CALLERS] * CALLERS))


def _wait_for_the_last(cluster: Cluster) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while any(cluster.store.find(status=status, limit=1) for status in UNENDED):
        if time.monotonic() > deadline:
            raise RuntimeError("accepted runs do not end")
        time.sleep(0.1)


def _newest(cluster: Cluster) -> Sequence[RunRecord]:
    runs = cluster.store.find(flow_key="soon", limit=RUNS)
    if len(runs) != RUNS or any(run.status is not Status.FINISH for run in runs):
        raise RuntimeError("not every run came to a good end")
    return runs


def _trigger(server: Server, count: int) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        for _ in range(count):
            connection.request("GET", ASYNC_TARGET.format(key="soon"), headers=HEADERS)
            with connection.getresponse() as response:
                response.read()
                if response.status != HTTPStatus.OK:
                    raise RuntimeError(f"a run was not accepted: {response.status}")


def _rows(readings: Mapping[str, Sequence[Pace]]) -> list[tuple[str, ...]]:
    one = [pace.rate for pace in readings[str(WORKERS[0])]]
    return [_row(int(name), found, one) for name, found in readings.items()]


def _row(workers: int, found: Sequence[Pace], one: Sequence[float]) -> tuple[str, ...]:
    rates = [pace.rate for pace in found]
    ideal = workers * CONCURRENCY / SOON_SECONDS
    return (
        "1 worker" if workers == 1 else f"{workers} workers",
        f"{median(rates):.1f}",
        f"{min(rates):.1f} – {max(rates):.1f}",
        f"{median(rates) / ideal:.2f}",
        f"{median(pace.cpu for pace in found):.1f}",
        f"{ratio(rates, one) / workers:.2f}",
    )
