"""Branches of a run that are under way at once, and what becomes of the run when they end.

Each branch is a run of its own: it begins with what was defined before it, and what it defines
stays in it. One that fails stops the others before their next step. A race between them has no
place in what follows: of several failures the one of the first branch, as written, counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from app.engine.control import HandedBack, HoldLost, Interrupted, Parked, StepError, Stopped
from app.engine.scope import Halt, Run
from app.step import Action

Branch = tuple[int, str, Action]
"""Its number, its place, and what it does."""


class Branches:
    """The branches of one step of a run; ``place`` is where the step stands."""

    def __init__(self, run: Run, place: str) -> None:
        self.runs: dict[int, Run] = {}
        self._run = run
        self._place = place
        self._halt = Halt(run.halt)
        self._given: dict[int, Any] = {}
        self._failures: dict[int, BaseException] = {}
        self._parked: list[float] = []
        self._changed = threading.Condition()
        self._winner: int | None = None
        self._under_way = 0

    def all(self, branches: Iterable[Branch], width: int) -> Mapping[int, Any]:
        """Carry out all of these, up to ``width`` at once; what each of them gave.

        Raises:
            Exception: how the run ends or fails, or waits.
        """
        tasks = (partial(self._attempt, branch) for branch in branches)
        self._run.tools.crew.work_off(tasks, width)
        self._join(sorted(self._given))
        return self._given

    def first(self, branches: Iterable[Branch]) -> tuple[int, Any]:
        """Carry out all of these until one has ended well: its number, and what it gave.

        The others are not waited for: each ends before its next step, and nothing of it counts.

        Raises:
            Exception: how the run ends or fails if none ended well, or how it waits.
        """
        tasks = [partial(self._compete, branch) for branch in branches]
        self._under_way = len(tasks)
        crew = self._run.tools.crew
        for task in [task for task in tasks if crew.start(task) is None]:
            task()
        with self._changed:
            self._changed.wait_for(lambda: self._is_decided or not self._under_way)
        winner = self._winner
        self._join([] if winner is None else [winner])
        if winner is None:
            raise Stopped
        return winner, self._given[winner]

    @property
    def _is_decided(self) -> bool:
        return self._halt.is_called or self._winner is not None

    def _compete(self, branch: Branch) -> None:
        self._attempt(branch, is_race=True)
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def _attempt(self, branch: Branch, *, is_race: bool = False) -> None:
        if self._halt.is_called:
            return
        index, place, action = branch
        run = self.runs[index] = self._run.branch(place, self._halt)
        try:
            self._given[index] = action(run)
        except Stopped:
            pass
        except Parked as signal:
            self._parked.append(signal.until)
        except BaseException as failure:  # noqa: BLE001 - it is raised where the branches meet
            self._failures[index] = failure
            if not (is_race and isinstance(failure, StepError | Interrupted)):
                self._halt.call()
        else:
            if is_race:
                self._win(index)

    def _win(self, index: int) -> None:
        with self._changed:
            if not self._is_decided:
                self._winner = index
        self._halt.call()

    def _join(self, indexes: list[int]) -> None:
        """Go on with the run, or end it as a branch has ended."""
        self._run.join([self.runs[index] for index in indexes], f"{self._place}/end")
        if self._winner is not None:
            return
        if self._failures and not (self._parked and not self._halt.is_called):
            raise _first(self._failures)
        if self._run.halt is not None and self._run.halt.is_called:
            raise Stopped
        if self._parked:
            raise Parked(min(self._parked))


def _first(failures: dict[int, BaseException]) -> BaseException:
    """The failure that counts: what ends the process, or takes the run away, before all others."""

    def rank(index: int) -> tuple[bool, int]:
        failure = failures[index]
        is_ours = isinstance(failure, Exception) and not isinstance(failure, HoldLost | HandedBack)
        return is_ours, index

    return failures[min(failures, key=rank)]
