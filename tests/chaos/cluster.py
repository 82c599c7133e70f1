"""A fleet as on many machines: its runs are in Redis, and Celery's workers execute them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from app.runs.executors.celery_broker import QUEUE, TASK
from tests.blackbox.client import eventually
from tests.blackbox.workers import Workers
from tests.chaos.fleet import Fleet, from_there
from tests.redis_server import RedisServer, redis_server

COMMAND = ("-A", "tests.chaos.wsgi.celery", "worker", "--loglevel", "info")
POOL = 2


class Cluster(Fleet):
    """``store`` keeps all that it was told, ``broker`` nothing; the rest as of :class:`Fleet`."""

    def __init__(
        self, folder: Path, store: RedisServer, broker: RedisServer, **options: Any
    ) -> None:
        super().__init__(folder, STORE=store.url, BROKER=broker.url, EXECUTOR="celery", **options)
        self.store = store
        self.broker = broker
        self._celeries: list[Workers] = []

    @property
    def celery(self) -> Workers:
        """The worker that was started last."""
        return self._celeries[-1]

    def start_celery(self) -> None:
        """Start a worker, ready to execute."""
        log = f"celery-{len(self._celeries)}.log"
        self._celeries.append(Workers(self.folder, self.environment, COMMAND, log))

    def whole(self) -> None:
        """Return once server and pool have as many living processes as they should."""
        super().whole()
        eventually(self.celery.pool, lambda alive: len(alive) >= POOL, 30)

    @contextmanager
    def reconnected(self) -> Iterator[None]:
        """At the end, Celery's worker has found its broker again."""
        before = self._connections()
        yield
        eventually(self._connections, lambda now: now > before)

    def _connections(self) -> int:
        return self.celery.log.count("Connected to redis://")

    def deliver_again(self, count: int) -> None:
        """Send a second message for each of the newest runs, whatever became of them."""
        with self.store.client() as client:
            ids = client.zrange("{siteswap}:all", -count, -1)
        with Celery(broker=self.broker.url, set_as_current=False) as celery:
            for run_id in ids:
                celery.send_task(TASK, (run_id,), queue=QUEUE, ignore_result=True)

    @property
    def troubles(self) -> list[str]:
        """What should not stand in a log. Celery writes a traceback for each lost connection."""
        logs = [each.log for each in self._celeries]
        return [*super().troubles, *from_there("raised unexpected", logs)]

    def end(self) -> None:
        """Stop all in good order; whatever else is left is killed."""
        try:
            super().end()
            if self._celeries:
                assert self.celery.stop() == 0, self.celery.log[-2_000:]
        finally:
            for each in self._celeries:
                each.kill()


@contextmanager
def cluster(folder: Path, **options: Any) -> Iterator[Cluster]:
    """A cluster with its first server and worker; ended afterwards."""
    with ExitStack() as stack:
        store = stack.enter_context(redis_server(folder / "store", appendonly="yes"))
        broker = stack.enter_context(redis_server(folder / "broker"))
        machines = Cluster(folder, store, broker, **options)
        try:
            machines.start()
            machines.start_celery()
            yield machines
        finally:
            machines.end()
