"""What the saboteur does to a fleet. Each act returns once the fleet serves again."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from tests.blackbox.client import eventually
from tests.chaos.cluster import Cluster
from tests.chaos.disk import no_file_grows
from tests.chaos.fleet import Fleet, kill_group
from tests.chaos.lock import locked
from tests.chaos.points import POINTS
from tests.redis_server import RedisServer

FIRES_WITHIN = 20
"""Seconds. There is load all the time."""
TROUBLE = 1.5
"""Seconds that a full disk, a lock or a Redis that is gone lasts at most."""

Act = Callable[[Any, random.Random], None]
"""What is done to a :class:`Fleet`, or to a :class:`Cluster`."""


def kill_worker(fleet: Fleet, choice: random.Random) -> None:
    """``kill -9`` of one worker; gunicorn starts another."""
    _kill(choice.choice(fleet.workers()))
    fleet.whole()


def kill_master(fleet: Fleet, _: random.Random) -> None:
    """``kill -9`` of the master; its workers live on for seconds beside those of the new one."""
    fleet.server.process.kill()
    fleet.server.process.wait()
    fleet.start()


def kill_all(fleet: Fleet, _: random.Random) -> None:
    """``kill -9`` of everything."""
    kill_group(fleet.server)
    fleet.start()


def restart(fleet: Fleet, _: random.Random) -> None:
    """SIGTERM and a new start: the old one goes in good order."""
    assert fleet.server.stop() == 0, fleet.server.log[-2_000:]
    fleet.start()


def reload(fleet: Fleet, _: random.Random) -> None:
    """SIGHUP: new workers take the place of the old ones."""
    old = fleet.workers()
    fleet.server.process.send_signal(signal.SIGHUP)
    eventually(fleet.workers, lambda now: not set(old) & set(now), 40)
    fleet.whole()


def fill_disk(fleet: Fleet, choice: random.Random) -> None:
    """No file of the workers can grow, for a while."""
    with no_file_grows(fleet.workers(), fleet.server.database.stat().st_size):
        _last(choice)


def lock(fleet: Fleet, choice: random.Random) -> None:
    """Another process keeps the lock of the store, for a while."""
    with locked(fleet.server.database):
        _last(choice)


def kill_celery_process(cluster: Cluster, choice: random.Random) -> None:
    """``kill -9`` of one process of Celery's pool; Celery starts another."""
    _kill(choice.choice(cluster.celery.pool()))
    cluster.whole()


def kill_celery(cluster: Cluster, _: random.Random) -> None:
    """``kill -9`` of Celery's worker and its whole pool."""
    cluster.celery.kill()
    cluster.start_celery()


def restart_celery(cluster: Cluster, _: random.Random) -> None:
    """SIGTERM of Celery's worker and a new start: the old one goes in good order."""
    assert cluster.celery.stop() == 0, cluster.celery.log[-2_000:]
    cluster.start_celery()


def kill_store(cluster: Cluster, choice: random.Random) -> None:
    """``kill -9`` of the Redis that has the runs; it comes back with its file."""
    _kill_redis(cluster.store, choice)


def kill_broker(cluster: Cluster, choice: random.Random) -> None:
    """``kill -9`` of the Redis that has the messages; it comes back and knows nothing."""
    # A worker of Celery that is asked to go down while it has no broker goes with an error of its
    # own: nothing is lost, but its exit status is not 0.
    with cluster.reconnected():
        _kill_redis(cluster.broker, choice)


def deliver_again(cluster: Cluster, _: random.Random) -> None:
    """The broker delivers what it has delivered before, runs that are under way among it."""
    cluster.deliver_again(50)


def _kill_redis(redis: RedisServer, choice: random.Random) -> None:
    redis.kill()
    _last(choice)
    redis.start()


def _last(choice: random.Random) -> None:
    threading.Event().wait(choice.random() * TROUBLE)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _dying_at(point: str) -> Act:
    def act(fleet: Fleet, _: random.Random) -> None:
        file = fleet.arm(point)
        eventually(file.exists, lambda armed: not armed, FIRES_WITHIN)
        fleet.whole()

    return act


KILLS: Mapping[str, Act] = {
    "kill worker": kill_worker,
    "kill master": kill_master,
    "kill all": kill_all,
    "SIGTERM": restart,
    "SIGHUP": reload,
    **{point: _dying_at(point) for point in POINTS},
}
ACTS: Mapping[str, Act] = {**KILLS, "full disk": fill_disk, "locked store": lock}
"""What happens to one machine."""

CLUSTER_ACTS: Mapping[str, Act] = {
    **KILLS,
    "kill celery process": kill_celery_process,
    "kill celery": kill_celery,
    "SIGTERM celery": restart_celery,
    "kill store": kill_store,
    "kill broker": kill_broker,
    "deliver again": deliver_again,
}
"""What happens to many machines."""
