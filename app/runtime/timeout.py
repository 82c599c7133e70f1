"""Time limits of steps: the deadline of a run, narrowed while one of its steps runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from app.language.step import Step
from app.runtime.journal import Journal, error_value, replayed
from app.runtime.record import StepRecord
from app.runtime.scope import Action, Run
from app.runtime.signals import DeadlinePassed, FailSignal, ReplayEnded, ReturnSignal, StepError


def with_timeout(action: Action, seconds: float) -> Action:
    """The action, which fails with kind ``timeout`` when it takes longer."""
    return lambda run: _limited(run, action, seconds, seconds)


def with_kept_timeout(action: Action, seconds: float, place: str, step: Step) -> Action:
    """The same for a step with steps inside, whose time goes on while its run is suspended.

    So it has an entry in the run's journal, as the steps inside have their own.
    """

    def timed(run: Run) -> Any:
        journal = run.journal
        if journal is None:
            return _limited(run, action, seconds, seconds)
        record = journal.enter(run.place + place, step)
        if record.outcome is not None:
            return _again(run, action, journal, record)
        left = journal.left(record, seconds) if journal.is_from_before(record) else seconds
        try:
            result = _limited(run, action, left, seconds)
        except StepError as error:
            journal.end(record, "error", error_value(error), run.mask(error.message))
            raise
        except (ReturnSignal, FailSignal):
            journal.end(record, "ok", None, step.summary)
            raise
        journal.end(record, "ok", None, step.summary)
        return result

    return timed


def _again(run: Run, action: Action, journal: Journal, record: StepRecord) -> Any:
    """The same end as before: the steps that were done had time, and no others."""
    try:
        if record.outcome == "ok":
            return action(run)
        with suppress(StepError, DeadlinePassed, ReplayEnded), journal.closed():
            action(run)
    finally:
        journal.ended(record.path)
    return replayed(record)


def _limited(run: Run, action: Action, left: float, seconds: float) -> Any:
    clock, outer = run.dependencies.monotonic, run.deadline
    own = clock() + left
    run.deadline = min(outer, own)
    try:
        return action(run)
    except DeadlinePassed as signal:
        # When the whole flow is late, a step's own handlers have no time left to act in.
        if outer <= own or clock() >= outer:
            raise
        detail = f": {signal.detail}" if signal.detail else ""
        raise StepError("timeout", f"took longer than {seconds:g} s{detail}") from None
    finally:
        run.deadline = outer
