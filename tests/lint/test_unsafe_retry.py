"""A repetition may carry out an effect twice: each verb is asked, also one that nobody has met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import ClassVar

import pytest

from app.catalog.loader import load_flow
from app.language.checks import check
from app.language.environment import Environment
from app.language.flow import Flow
from app.language.retry import RetryPolicy
from app.language.step import Step

POLICY = RetryPolicy(2, frozenset({"connection"}), 0.1, 2.0, 1.0, jitter=False, idempotent=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shout(Step):
    """A new verb: all it says of itself is that it has an effect."""

    verb: ClassVar[str] = "shout"
    has_effect: ClassVar[bool] = True


def found(step: Step, *, retryable: bool = False) -> list[tuple[object, ...]]:
    """Path, code and hint of what is wrong with a flow of this one step."""
    flow = Flow("flow", "v1", (step,), retryable=retryable)
    return [(path, issue.code, issue.hint) for path, _, issue in check(flow, Environment())]


def test_a_verb_that_says_nothing_is_not_repeated_by_default() -> None:
    """The rule is not the verb's to remember."""
    hint = "if that does no harm, write `retry: {times: 2, idempotent: true}`"
    assert found(Shout(retry=POLICY)) == [(("steps", 0, "retry"), "unsafe-retry", hint)]


@pytest.mark.parametrize(
    "step",
    [
        Shout(),
        Shout(retry=replace(POLICY, times=0)),
        Shout(retry=replace(POLICY, idempotent=True)),
        Shout(retry=POLICY, retryable=True),
    ],
)
def test_an_author_who_says_so_may_repeat_it(step: Step) -> None:
    """No repetition at all, or a word that a second time does no harm."""
    assert found(step) == []


def test_a_step_goes_over_its_flow() -> None:
    """``retryable`` of the flow is for the steps that say nothing."""
    assert found(Shout(retry=POLICY), retryable=True) == []
    assert len(found(Shout(retry=POLICY, retryable=False), retryable=True)) == 1


@pytest.mark.parametrize(
    "steps",
    [
        "- sql: insert into t (a) values (1)\n  mode: execute\n  retry: 2\n",
        "- sql: select 1\n  retry: 2\n",
        "- transaction:\n    - sql: delete from t\n      mode: execute\n  retry: 2\n",
        "- python: return 1\n  retry: 0\n",
        "- http: PUT https://a.example/\n  retry: 2\n",
    ],
)
def test_what_is_repeated_only_after_nothing_happened_is_fine(steps: str) -> None:
    """A statement that failed in a way that is repeated has changed nothing."""
    environment = Environment(runs_python=True)
    text = f"steps:\n{steps}"
    assert load_flow(PurePath("flow/v1.yaml"), text, environment).diagnostics == ()
