"""Branches of a run that are under way at once, and what becomes of the run when they end.

Each branch is a run of its own: it begins with what was defined before it, and what it defines
stays in it. One that fails stops the others before their next step. Of several failures the one of
the first branch, as written, counts.

Which branch decides how the step ends may be a question of time. So it is written down, and a
replay carries out that branch alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from app.language.step import Step
from app.runtime.scope import Action, Run, StopFlag
from app.runtime.signals import (
    ClaimLost,
    FailSignal,
    Interrupted,
    ReturnSignal,
    ShuttingDown,
    StepError,
    Stopped,
    Suspended,
)
from app.runtime.trace import Trace
from app.strict_json import loads

Branch = tuple[str, Action]
"""Its place, and what it does."""


class Branches:
    """The branches of one step of a run, by number; ``place`` is the place of the step."""

    def __init__(
        self, run: Run, place: str, step: Step, count: int, branch: Callable[[int], Branch]
    ) -> None:
        self._run = run
        self._place = place
        self._step = step
        self.count = count
        self._branch = branch
        self._halt = StopFlag(run.stop_flag)
        self._given: dict[int, Any] = {}
        self._failures: dict[int, BaseException] = {}
        self._parked: list[float] = []
        self._traces: dict[int, Trace] = {}
        self._time = 0.0
        self._changed = threading.Condition()
        self._is_race = False
        self._decider: int | None = None
        self._under_way = 0

    def all(self, width: int) -> list[Any]:
        """Carry out all of them, up to ``width`` at once; what each of them gave.

        Raises:
            Exception: how the run ends or fails, or waits.
        """
        decider = self._noted()
        if decider is not None:
            self._attempt(decider)
            self._join()
        tasks = (partial(self._attempt, index) for index in range(self.count))
        self._until_done(lambda: self._run.dependencies.thread_pool.work_off(tasks, width))
        self._join()
        return [self._given[index] for index in range(self.count)]

    def first(self) -> tuple[int, Any]:
        """Carry out all of them until one has ended well: its number, and what it gave.

        The others are not waited for: each ends before its next step, and nothing of it counts.

        Raises:
            Exception: how the run ends or fails if none ended well, or how it waits.
        """
        self._is_race = True
        decider = self._noted()
        if decider is None:
            self._until_done(self._race)
        else:
            self._attempt(decider)
        self._join()
        if self._decider is None:
            raise Stopped
        return self._decider, self._given[self._decider]

    def _until_done(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:  # this thread is told to end while it waits for others
            self._halt.call()
            raise

    def _race(self) -> None:
        self._under_way = self.count
        thread_pool = self._run.dependencies.thread_pool
        tasks = [partial(self._compete, index) for index in range(self.count)]
        for task in [task for task in tasks if thread_pool.start(task) is None]:
            task()
        with self._changed:
            self._changed.wait_for(lambda: self._decider is not None or not self._under_way)

    def _compete(self, index: int) -> None:
        self._attempt(index)
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def _attempt(self, index: int) -> None:
        if self._halt.is_called:
            return
        try:
            given = self._carry_out(index)
        except Stopped:
            pass
        except Suspended as signal:
            self._parked.append(signal.until)
        except BaseException as failure:  # noqa: BLE001 - it is raised where the branches meet
            self._failures[index] = failure
            if not (self._is_race and isinstance(failure, StepError | Interrupted)):
                self._decide(index, is_end=isinstance(failure, ReturnSignal | FailSignal))
        else:
            self._given[index] = given
            if self._is_race:
                self._decide(index, is_end=True)

    def _carry_out(self, index: int) -> Any:
        place, action = self._branch(index)
        run = self._run.branch(place, self._halt)
        try:
            return action(run)
        finally:
            self._keep(index, run)

    def _keep(self, index: int, run: Run) -> None:
        """Keep what the run goes on with. The rest of a branch, which may be large, goes."""
        with self._changed:
            if run.journal is not None:
                self._time = max(self._time, run.journal.time)
            if run.trace is not None:
                self._traces[index] = run.trace

    def _decide(self, index: int, *, is_end: bool) -> None:
        """Stop the others. The first whose end decides a race is the one that counts."""
        with self._changed:
            if self._is_race and is_end and not self._halt.is_called:
                self._decider = index
            self._halt.call()

    def _join(self) -> None:
        """Go on with the run, or end it as a branch has ended."""
        decider = self._decider
        traces = [self._traces[each] for each in sorted(self._traces) if decider in (None, each)]
        self._run.join(self._time, traces, f"{self._place}/end")
        if decider is not None and decider in self._given:
            self._note(decider)
        elif self._failures and not (self._parked and not self._halt.is_called):
            self._fail(_first(self._failures) if decider is None else decider)
        elif self._run.stop_flag is not None and self._run.stop_flag.is_called:
            raise Stopped
        elif self._parked:
            raise Suspended(min(self._parked))

    def _fail(self, index: int) -> None:
        failure = self._failures[index]
        if isinstance(failure, StepError | ReturnSignal | FailSignal):
            self._note(index)
        raise failure

    def _note(self, index: int) -> None:
        """Write down which branch has decided, unless an earlier attempt did."""
        journal = self._run.journal
        if journal is not None and journal.ended(self._note_path) is None:
            place, _ = self._branch(index)
            journal.note(self._note_path, self._step, index, f"decided by {place.rstrip('/')}")

    def _noted(self) -> int | None:
        journal = self._run.journal
        record = journal.noted(self._note_path) if journal is not None else None
        return None if record is None else int(loads(record.value or "0"))

    @property
    def _note_path(self) -> str:
        return f"{self._place}/decided"


def _first(failures: dict[int, BaseException]) -> int:
    """The failure that counts: what ends the process, or takes the run away, before all others."""

    def rank(index: int) -> tuple[bool, int]:
        failure = failures[index]
        is_ours = isinstance(failure, Exception) and not isinstance(
            failure, ClaimLost | ShuttingDown
        )
        return is_ours, index

    return min(failures, key=rank)
