"""Repeating a step that failed in a way that may pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.engine.control import StepError
from app.engine.scope import Run
from app.spec.model import RetryPolicy
from app.step import Action


def with_retry(action: Action, policy: RetryPolicy) -> Action:
    """The action, repeated while the policy and the deadline allow it; the last failure stands."""
    return lambda run: _repeated(action, run, policy)


def with_default_retry(action: Action, find: Callable[[Run], RetryPolicy | None]) -> Action:
    """The same, by a policy that is looked up at each run, if there is one then."""

    def retried(run: Run) -> Any:
        policy = find(run)
        return action(run) if policy is None else _repeated(action, run, policy)

    return retried


def _repeated(action: Action, run: Run, policy: RetryPolicy) -> Any:
    for attempt in range(policy.times):
        try:
            return action(run)
        except StepError as error:
            if run.is_halted or not is_retried(error, policy):
                raise
            wait = wait_before(attempt, policy, error.retry_after, run.tools.random())
            # A wait that ends after the deadline can only replace a clear error by a vague one.
            if run.tools.monotonic() + wait >= run.deadline:
                raise
            run.tools.sleep(wait)
            if run.is_halted:
                raise
    return action(run)


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
