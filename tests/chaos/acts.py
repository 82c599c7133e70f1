"""What the saboteur does to a fleet. Each act returns once the fleet serves again."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from tests.blackbox.client import eventually
from tests.chaos.fleet import Fleet, kill_group
from tests.chaos.points import POINTS

FIRES_WITHIN = 20
"""Seconds. There is load all the time."""

Act = Callable[[Fleet, random.Random], None]


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
}
ACTS: Mapping[str, Act] = {**KILLS, **{point: _dying_at(point) for point in POINTS}}
