"""From a flow to one function: each step becomes a closure, wrapped in the layers it asks for.

This happens once, when a file is loaded; a run only calls what was built here. A step that says no
more than its verb gets no more than its verb: layers for ``when``, ``timeout``, ``retry`` and
``on_error`` exist only where they are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.engine.control import DeadlinePassed, StepError
from app.engine.journal import journaled, keyed
from app.engine.retry import with_default_retry, with_retry
from app.engine.scope import Run
from app.engine.time_limit import with_timeout
from app.engine.trace import with_trace
from app.expression import Compiled, ExpressionError
from app.spec.inputs import check_output
from app.spec.model import Flow
from app.step import Action, Path, Step


@dataclass(frozen=True, slots=True)
class Program:
    """A flow, ready to run. ``reads_request`` says whether anything in it reads ``request``.

    ``source`` is the text it was made of, and ``digest`` names that text.
    """

    flow: Flow
    steps: Action
    reads_request: bool
    source: str
    digest: str

    def outputs(self, values: dict[str, Any]) -> dict[str, Any]:
        """Every declared output, checked; one that was not set is ``None``.

        Raises:
            StepError: a value is not of its declared type.
        """
        return {
            name: self._output(name, type_name, values.get(name))
            for name, type_name in self.flow.outputs.items()
        }

    def _output(self, name: str, type_name: str, value: Any) -> Any:
        try:
            return check_output(type_name, value)
        except ValueError as error:
            raise StepError("output", f"output `{name}`: {error}") from None


def compile_flow(flow: Flow, source: str) -> Program:
    """Compile every step of a flow that passed its checks; ``source`` is its text."""
    reads = {read for compiled in templates(flow.steps) for read in _reads(compiled)}
    compiler = Compiler(
        flow, {path[1] for path in reads if len(path) > 3 and path[::2][:2] == ("steps", "body")}
    )
    if flow.callback is not None:
        reads |= set(_reads(flow.callback.parts))
    reads_request = any(path[0] == "request" for path in reads)
    digest = hashlib.sha256(source.encode()).hexdigest()[:32]
    return Program(flow, compiler.block(flow.steps), reads_request, source, digest)


def _reads(compiled: Compiled) -> Iterator[tuple[str, ...]]:
    for read in compiled.reads:
        # A read inside `default(…)` does not insist on JSON, and is cut so as not to count.
        yield read.path[:3] if read.safe else read.path


def templates(steps: Sequence[Step]) -> Iterator[Compiled]:
    """Every expression and template in these steps and the blocks within."""
    for step in steps:
        if step.when is not None:
            yield step.when
        for _, compiled in step.templates():
            yield compiled
        for arm in step.arms():
            yield from templates(arm.steps)
        yield from templates(step.on_error or ())


class Compiler:
    """Builds the functions; see :class:`app.step.Builder` for what it offers a verb."""

    def __init__(self, flow: Flow, json_steps: set[str]) -> None:
        self._flow = flow
        self._json_steps = json_steps
        self._path: Path = ()

    def reads_fields_of_body(self, step_id: str | None) -> bool:
        return step_id in self._json_steps

    def may_repeat(self, step: Step) -> bool:
        return self._flow.retryable if step.retryable is None else step.retryable

    def block(self, steps: Sequence[Step], path: Path = ()) -> Action:
        outer = self._path
        actions = []
        for index, step in enumerate(steps):
            self._path = (*outer, *path, index)
            actions.append(self._step(step))
        self._path = outer
        return _sequence(tuple(actions))

    def _step(self, step: Step) -> Action:
        """Order of failure handling: time limit, then the step's retries, then ``on_error``."""
        action = step.build(self)
        if step.timeout is not None:
            action = with_timeout(action, step.timeout)
        action = named(action, step.label)
        if step.retry is not None:
            action = with_retry(action, step.retry)
        elif policy := step.default_retry(self):
            action = with_default_retry(action, policy)
        if step.has_effect:
            action = step.replayable(self._once(action, step))
        action = with_trace(action, step.label, step.verb)
        if step.id is not None and step.result_fields:
            action = stored(action, step.id)
        if step.on_error is not None:
            action = with_on_error(action, self.block(step.on_error, ("on_error",)))
        if step.when is not None:
            action = guarded(action, named(condition(step.when), step.label))
        return action

    def _once(self, action: Action, step: Step) -> Action:
        """The action under the run's journal, which only async runs keep."""
        path = "/".join(map(str, self._path))
        may_repeat = self.may_repeat(step)
        if may_repeat:
            action = keyed(action, path)
        if self._flow.mode == "async":
            action = journaled(action, path, step, may_repeat=may_repeat)
        return action


def _sequence(actions: tuple[Action, ...]) -> Action:
    def run_block(run: Run) -> None:
        for action in actions:
            action(run)

    return run_block


def named(action: Action, label: str) -> Action:
    """The action, whose failures know the step they happened in; no step begins too late."""

    def step(run: Run) -> Any:
        if run.tools.monotonic() >= run.deadline:
            raise DeadlinePassed(step=label)
        try:
            return action(run)
        except ExpressionError as error:
            failure = StepError("expression", error.message)
            failure.step = label
            raise failure from None
        except (StepError, DeadlinePassed) as error:
            error.step = error.step or label
            raise

    return step


def condition(compiled: Compiled) -> Action:
    """An expression as an action."""
    evaluate = compiled.evaluate
    return lambda run: evaluate(run.scope)


def stored(action: Action, step_id: str) -> Action:
    """The action, whose result expressions can read as ``steps.<id>``."""

    def keep(run: Run) -> None:
        run.scope.steps[step_id] = action(run)

    return keep


def guarded(action: Action, condition: Action) -> Action:
    """The action, run only when the condition holds."""

    def guard(run: Run) -> None:
        if condition(run):
            action(run)

    return guard


def with_on_error(action: Action, handler: Action) -> Action:
    """The action, whose failure is handled by a block that reads it as ``error``."""

    def handled(run: Run) -> None:
        try:
            action(run)
        except StepError as error:
            outer, run.scope.error = run.scope.error, _masked(error, run.mask)
            try:
                handler(run)
            finally:
                run.scope.error = outer

    return handled


def _masked(error: StepError, mask: Callable[[str], str]) -> dict[str, Any]:
    value = error.as_value()
    return {**value, "message": mask(value["message"])}
