"""Waiting inside a run: within its deadline, and without holding a thread for long."""

from __future__ import annotations

from app.language.step import Step
from app.runtime.journal import replayed
from app.runtime.scope import Run
from app.runtime.signals import DeadlinePassed, Suspended

SHORT_SECONDS = 2.0
"""Waits up to this are waited for here. For longer ones a run with a journal is suspended."""


def pause(run: Run, seconds: float, place: str, step: Step) -> None:
    """Wait as part of a step; ``place`` tells its waits apart.

    Raises:
        DeadlinePassed: at once, if the wait would end after the deadline.
        Suspended: the wait is for later.
    """
    journal = run.journal
    if journal is None:
        _sleep(run, seconds)
        return
    if record := journal.ended(place):
        replayed(record)
        return
    begun = journal.begin(place, step, may_repeat=True)
    # A suspended run is continued a little late.
    left = max(journal.left(begun, seconds), 0.0)
    try:
        _check(run, left)
    except DeadlinePassed as signal:
        journal.end(begun, "timeout", signal.detail, signal.detail)
        raise
    if left > SHORT_SECONDS:
        raise Suspended(begun.started_at + seconds)
    _sleep(run, left)
    journal.end(begun, "ok", None, step.summary)


def _sleep(run: Run, seconds: float) -> None:
    _check(run, seconds)
    run.dependencies.sleep(seconds)


def _check(run: Run, seconds: float) -> None:
    if run.dependencies.monotonic() + seconds >= run.deadline:
        raise DeadlinePassed(f"a wait of {seconds:.3g} s would end after the deadline")
