"""What a verb is: a step that can be built, and what the compiler offers it to build itself.

A verb is one file in ``app/verbs/`` and one line in its table: a frozen dataclass derived from
:class:`Verb`, and a marshmallow schema derived from :class:`app.language.blocks.StepSchema`. The
dataclass says which templates it holds, which blocks it contains and what it defines (read by
``language/checks.py``), and builds the function that runs it (called by ``engine/compiler.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.language.retry import RetryPolicy
from app.language.step import Path, Step
from app.runtime.program import Program
from app.runtime.scope import Action, Run


class Builder(Protocol):
    """What the compiler offers a verb."""

    def block(self, steps: Sequence[Step], path: Path) -> Action:
        """The function that runs these steps, one after the other; it returns what the last gives.

        ``path`` is their place inside the step that is built.
        """

    def round(self, steps: Sequence[Step]) -> Action:
        """The same for steps that run many times in a run, each time at another ``run.place``."""

    @property
    def place(self) -> str:
        """The place of the step that is built, ``2/else/0``; ``run.place`` is its prefix."""

    def may_repeat(self, step: Step) -> bool:
        """Whether the step, or its flow, says ``retryable: true``."""

    def program(self, name: str) -> Program:
        """The program of a flow that a step says it ``calls``."""

    def line_in_file(self, step: Step, key: str, line: int) -> int:
        """The line of the file that a line of the text at ``key`` of a step is, from 1."""

    def reads_fields_of_body(self, step_id: str | None) -> bool:
        """Whether the flow reads ``steps.<id>.body.<field>`` anywhere without ``default``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb(Step):
    """A step that can be built."""

    def limit(self, builder: Builder) -> float | None:
        """Seconds that one attempt may take."""
        return self.timeout

    def detail(self, result: Any) -> str:
        """What people read of a result, in one line; it shows no data."""
        return self.summary

    def default_retry(self, builder: Builder) -> Callable[[Run], RetryPolicy | None] | None:
        """How it is repeated where it says no ``retry`` itself, asked at each run."""
        return None

    def replayable(self, action: Action) -> Action:
        """The action, carried out or answered from the run's journal, and what follows from it."""
        return action

    def build(self, builder: Builder) -> Action:
        """The function that runs this step.

        The function raises only :class:`app.runtime.signals.StepError`, control signals and
        :class:`app.expression.ExpressionError`.
        """
        raise NotImplementedError
