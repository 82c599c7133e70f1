"""A store around the store: its process dies at named points, and some of its calls fail.

A point is armed by making a file of its name (see :mod:`tests.chaos.points`). Whichever process
removes the file dies there, so each fires once, and a worker that was started again lives.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.errors import Busy
from app.runs.execution import MAX_CRASHES
from app.runs.run import RunRecord
from app.runs.store import Store
from app.runtime.record import StepRecord
from tests.chaos.points import POISON

_UNTROUBLED = frozenset({"close"})


class TroubledStore:
    """``folder`` holds the armed points; a part ``errors`` of all calls fails, in both ways.

    One half fails before anything happened, the other after it has.
    """

    def __init__(self, store: Store, folder: Path, errors: float) -> None:
        self._store = store
        self._folder = folder
        self._errors = errors
        self._random = random.Random()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._store, name)
        if name in _UNTROUBLED:
            return method

        def call(*arguments: Any, **named: Any) -> Any:
            point = _point(name, arguments)
            self._die_at(f"before-{point}")
            self._fail("before it happened")
            answer = method(*arguments, **named)
            if name != "claim" or answer is not None:
                self._die_at(f"after-{point}")
            if name == "claim":
                _die_of(answer)
            self._fail("after it happened")
            return answer

        return call

    def _die_at(self, point: str) -> None:
        try:
            (self._folder / point).unlink()
        except FileNotFoundError:
            return
        _die()

    def _fail(self, when: str) -> None:
        if self._errors and self._random.random() < self._errors / 2:
            raise Busy(f"an error of the chaos suite, {when}")


def _point(name: str, arguments: tuple[Any, ...]) -> str:
    if name == "record":
        record: StepRecord = arguments[1]
        return "step" if record.outcome is None else "checkpoint"
    return name


def _die_of(claimed: RunRecord | None) -> None:
    # What is claimed once more after that is ended without being tried: nobody dies of it.
    if claimed and claimed.flow_key == POISON and claimed.crashes < MAX_CRASHES:
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
