"""``python: code`` runs the body of a function, whose ``return`` is the step's result.

The code may do all that the server's user may: it is trusted, and only its time, memory and result
are bounded. It runs in a process of its own and reads ``inputs``, ``steps`` … as plain data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from app.expression import Compiled, Issue
from app.language.blocks import StepSchema
from app.language.environment import Environment
from app.language.fields import issue
from app.language.flow import Flow
from app.language.python import Code, PythonCode
from app.language.step import Path, Step, every_step
from app.python.contract import PythonCall, PythonFailure
from app.runtime.scope import Action, Run
from app.runtime.signals import DeadlinePassed, StepError
from app.runtime.verb import Builder, Verb
from app.verbs.log import write

MAX_MESSAGE = 1_000
MAX_PRINTED = 10_000
MAX_LINES = 100
"""Characters and lines that one run of the code may put into the log."""


class PythonSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "code": "write the code after the verb: `python: |` and below it the lines",
        "with": "the code reads `inputs`, `steps` and `vars` itself, as plain data",
        "args": "the code reads `inputs`, `steps` and `vars` itself, as plain data",
    }

    code = PythonCode(data_key="python", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Python(Verb):
    code: Code

    verb: ClassVar[str] = "python"
    schema: ClassVar[type[StepSchema]] = PythonSchema
    has_effect: ClassVar[bool] = True

    @property
    def summary(self) -> str:
        return self.code.data.source

    @property
    def has_result(self) -> bool:
        return True

    @property
    def unsafe_repetition(self) -> str | None:
        return "code that is repeated may do twice what it does"

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("python",), self.code.data)]

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        if environment.runs_python is False and self is _first(flow):
            message = "`python` steps are switched off here"
            hint = "to trust whoever writes flows with code, set SITESWAP_PYTHON_STEPS=on"
            yield ("python",), issue("switched-off", message, hint)
        yield from ((("python",), each) for each in self.code.issues)

    def build(self, builder: Builder) -> Action:
        text, data = self.code.text, self.code.data.evaluate
        line_in_file = partial(builder.line_in_file, self, "python")

        def execute(run: Run) -> Any:
            dependencies = run.dependencies
            timeout = run.deadline - dependencies.monotonic()
            done = dependencies.python.run(
                PythonCall(text, data(run.scope), timeout, dependencies.max_response_bytes)
            )
            if done.output:
                _log(run, done.output)
            if done.failure:
                raise _failed(run, done.failure, line_in_file)
            return done.value

        return execute


def _first(flow: Flow) -> Step | None:
    """The step that gets the issue when code is switched off: one for each flow is enough."""
    return next((step for step in every_step(flow.steps) if isinstance(step, Python)), None)


def _log(run: Run, output: bytes) -> None:
    printed = run.mask(output.decode("utf-8", "replace"))
    lines = printed[:MAX_PRINTED].splitlines()
    for line in lines[:MAX_LINES]:
        write(run, logging.INFO, line)
    if len(printed) > MAX_PRINTED or len(lines) > MAX_LINES:
        write(run, logging.INFO, "… (more was printed)")


def _failed(run: Run, failure: PythonFailure, line_in_file: Callable[[int], int]) -> Exception:
    if failure.is_late:
        return DeadlinePassed(failure.message)
    message = run.mask(failure.message)[:MAX_MESSAGE]
    if failure.line is not None:
        message += f" (line {line_in_file(failure.line)} of the file)"
    return StepError("python", message)
