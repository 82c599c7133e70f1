"""Repeating a step that failed in a way that may pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.language.retry import RetryPolicy
from app.runtime.pause import SHORT_SECONDS
from app.runtime.scope import Action, Run
from app.runtime.signals import StepError, Suspended


def with_retry(action: Action, policy: RetryPolicy, place: str) -> Action:
    """The action, repeated while policy and deadline allow it; then the last failure counts.

    A run with a journal is suspended for a long wait; ``place`` is the place of its step.
    """
    return lambda run: _repeated(action, run, policy, run.place + place)


def with_default_retry(
    action: Action, find: Callable[[Run], RetryPolicy | None], place: str
) -> Action:
    """The same, by a policy that is looked up at each run, if there is one then."""

    def retried(run: Run) -> Any:
        policy = find(run)
        return action(run) if policy is None else _repeated(action, run, policy, run.place + place)

    return retried


def _repeated(action: Action, run: Run, policy: RetryPolicy, place: str) -> Any:
    for attempt in range(_first(run, place), policy.times):
        try:
            return action(run)
        except StepError as error:
            if run.is_stopped or not is_retried(error, policy):
                raise
            wait = wait_before(attempt, policy, error.retry_after, run.dependencies.random())
            # A wait that ends after the deadline can only replace a clear error by a vague one.
            if run.dependencies.monotonic() + wait >= run.deadline:
                raise
            _wait(run, wait, place, attempt + 1)
            if run.is_stopped:
                raise
    return action(run)


def _first(run: Run, place: str) -> int:
    """Which repetition is next; 0 if the run was not suspended before one."""
    if run.journal is None:
        return 0
    repetition, left = run.journal.repetition(place)
    if left > 0:
        _wait(run, left, place, repetition)
    return repetition


def _wait(run: Run, seconds: float, place: str, repetition: int) -> None:
    if run.journal is None or seconds <= SHORT_SECONDS:
        run.dependencies.sleep(seconds)
    else:
        raise Suspended(run.journal.schedule_retry(place, repetition, seconds))


def is_retried(error: StepError, policy: RetryPolicy) -> bool:
    """Whether the policy lists this failure."""
    return (error.status if error.kind == "status" else error.kind) in policy.on


def wait_before(
    attempt: int, policy: RetryPolicy, retry_after: float | None, random: float
) -> float:
    """Seconds before repetition ``attempt`` (from 0).

    Exponential backoff with full jitter over the upper half, so that many runs that failed together
    do not come back together; a server's ``Retry-After`` is the least it asks for.
    """
    ceiling = min(policy.delay * policy.backoff**attempt, policy.max_delay)
    wait = ceiling * (0.5 + random / 2) if policy.jitter else ceiling
    return max(wait, retry_after or 0.0)
