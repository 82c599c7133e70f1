"""Time limits of single attempts."""

from __future__ import annotations

from typing import Any

from app.engine.control import DeadlinePassed, StepError
from app.engine.scope import Run
from app.step import Action


def with_timeout(action: Action, seconds: float) -> Action:
    """The action, which fails with kind ``timeout`` when it takes longer."""
    return lambda run: within(run, seconds, action)


def within(run: Run, seconds: float, action: Action) -> Any:
    """The result of an action that may take this long.

    Raises:
        StepError: kind ``timeout``; it took longer.
    """
    clock, outer = run.tools.monotonic, run.deadline
    run.deadline = min(outer, clock() + seconds)
    try:
        return action(run)
    except DeadlinePassed as signal:
        # When the whole flow is late, a step's own handlers have no time left to act in.
        if clock() >= outer:
            raise
        detail = f": {signal.detail}" if signal.detail else ""
        raise StepError("timeout", f"took longer than {seconds:g} s{detail}") from None
    finally:
        run.deadline = outer
