"""From a flow to one function: each step becomes a closure, wrapped in the layers it asks for.

This happens once, when a file is loaded; a run only calls what was built here. A step that says no
more than its verb gets no more than its verb: layers for ``when``, ``timeout``, ``retry`` and
``on_error`` exist only where they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from types import MappingProxyType
from typing import Any

from app.engine.retry import with_default_retry, with_retry
from app.expression import Compiled, ExpressionError
from app.language.flow import Flow
from app.language.step import Path, Step, called_in, every_step
from app.runtime.journal import journaled, keyed
from app.runtime.program import Program
from app.runtime.scope import Action, Run
from app.runtime.signals import DeadlinePassed, StepError, Stopped
from app.runtime.timeout import with_kept_timeout, with_timeout
from app.runtime.trace import with_trace
from app.runtime.verb import Verb
from app.yaml.document import load

NOTHING: Mapping[str, Program] = MappingProxyType({})


def compile_flow(flow: Flow, text: str, programs: Mapping[str, Program] = NOTHING) -> Program:
    """Compile every step of a flow that passed its checks.

    ``text`` is that of its file, ``programs`` has those that it calls, by ``key/version``.
    """
    reads = {read for compiled in templates(flow.steps) for read in _reads(compiled)}
    json_steps = {path[1] for path in reads if len(path) > 3 and path[::2][:2] == ("steps", "body")}
    compiler = Compiler(flow, text, json_steps, programs)
    if flow.callback is not None:
        reads |= set(_reads(flow.callback.parts))
    callees = {name: programs[name] for name in called_in(flow.steps)}
    called = {name: callee.text for name, callee in callees.items()}
    for callee in callees.values():
        called |= callee.called
    reads_request = any(path[0] == "request" for path in reads) or any(
        callee.reads_request for callee in callees.values()
    )
    return Program(flow, compiler.block(flow.steps), reads_request, text, called)


def _reads(compiled: Compiled) -> Iterator[tuple[str, ...]]:
    for read in compiled.reads:
        # A read inside `default(…)` does not insist on JSON, and is cut so as not to count.
        yield read.path[:3] if read.safe else read.path


def templates(steps: Sequence[Step]) -> Iterator[Compiled]:
    """Every expression and template in these steps and the blocks within."""
    for step in every_step(steps):
        if step.when is not None:
            yield step.when
        yield from (compiled for _, compiled in step.templates())
        yield from (compiled for block in step.blocks() for _, compiled in block.last)


class Compiler:
    """Builds the functions; see :class:`app.runtime.verb.Builder` for what it offers a verb."""

    def __init__(
        self, flow: Flow, text: str, json_steps: set[str], programs: Mapping[str, Program]
    ) -> None:
        self._flow = flow
        self._text = text
        self._json_steps = json_steps
        self._programs = programs
        self._path: Path = ()

    def reads_fields_of_body(self, step_id: str | None) -> bool:
        return step_id in self._json_steps

    def program(self, name: str) -> Program:
        return self._programs[name]

    def line_in_file(self, step: Step, key: str, line: int) -> int:
        return line_in_file(self._text, self._flow.steps, step, key, line)

    def may_repeat(self, step: Step) -> bool:
        return step.may_repeat(self._flow)

    def block(self, steps: Sequence[Step], path: Path = ()) -> Action:
        outer = self._path
        actions = []
        for index, step in enumerate(steps):
            self._path = (*outer, *path, index)
            actions.append(self._step(step))
        self._path = outer
        return _sequence(tuple(actions))

    def round(self, steps: Sequence[Step]) -> Action:
        outer, self._path = self._path, ()
        action = self.block(steps)
        self._path = outer
        return action

    @property
    def place(self) -> str:
        return "/".join(map(str, self._path))

    def _step(self, step: Step) -> Action:
        """Order of failure handling: time limit, then the step's retries, then ``on_error``."""
        assert isinstance(step, Verb), "a flow that passed its checks has no broken step"
        action = step.build(self)
        limit = step.limit(self)
        if limit is not None:
            action = self._limited(action, step, limit)
        action = named(action, step.label)
        if step.retry is not None:
            action = with_retry(action, step.retry, self.place)
        elif policy := step.default_retry(self):
            action = with_default_retry(action, policy, self.place)
        if step.has_effect:
            action = step.replayable(self._once(action, step))
        action = with_trace(action, step.label, step.verb)
        if step.id is not None and step.has_result:
            action = stored(action, step.id)
        if step.on_error is not None:
            action = with_on_error(action, self.block(step.on_error, ("on_error",)))
        if step.when is not None:
            action = guarded(action, named(condition(step.when), step.label))
        return action

    def _limited(self, action: Action, step: Step, seconds: float) -> Action:
        if (step.blocks() or step.calls) and not step.has_effect:
            return with_kept_timeout(action, seconds, self.place, step)
        return with_timeout(action, seconds)

    def _once(self, action: Action, step: Verb) -> Action:
        """The action under the run's journal, which only async runs keep."""
        may_repeat = self.may_repeat(step)
        if may_repeat:
            action = keyed(action, self.place)
        return journaled(action, self.place, step, may_repeat=may_repeat)


def _sequence(actions: tuple[Action, ...]) -> Action:
    def run_block(run: Run) -> Any:
        result = None
        for action in actions:
            if run.stop_flag is not None and run.stop_flag.is_called:
                raise Stopped
            result = action(run)
        return result

    return run_block


def named(action: Action, label: str) -> Action:
    """The action, whose failures know the step they happened in; no step begins too late."""

    def step(run: Run) -> Any:
        if run.dependencies.monotonic() >= run.deadline:
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

    def keep(run: Run) -> Any:
        result = run.scope.steps[step_id] = action(run)
        return result

    return keep


def guarded(action: Action, condition: Action) -> Action:
    """The action, run only when the condition holds."""

    def guard(run: Run) -> Any:
        return action(run) if condition(run) else None

    return guard


def with_on_error(action: Action, handler: Action) -> Action:
    """The action, whose failure is handled by a block that reads it as ``error``."""

    def handled(run: Run) -> Any:
        try:
            return action(run)
        except StepError as error:
            outer, run.scope.error = run.scope.error, _masked(error, run.mask)
            try:
                return handler(run)
            finally:
                run.scope.error = outer

    return handled


def _masked(error: StepError, mask: Callable[[str], str]) -> dict[str, Any]:
    value = error.as_value()
    return {**value, "message": mask(value["message"])}


def line_in_file(text: str, steps: Sequence[Step], step: Step, key: str, line: int) -> int:
    """The line of a file that a line of a step's value is; both count from 1.

    ``text`` is the file, ``steps`` are those of the flow, and ``key`` holds the value in the step.
    """
    place = ("steps", *(_path_to(step, steps) or ()), key)
    document = load(text)
    lines = reduce(getitem, place, document.data).split("\n")
    indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    return document.locate(place, sum(len(each) + 1 for each in lines[: line - 1]) + indent)[0]


def _path_to(wanted: Step, steps: Sequence[Step], path: Path = ()) -> Path | None:
    for index, step in enumerate(steps):
        here = (*path, index)
        if step is wanted:
            return here
        blocks = [(block.path, block.steps) for block in step.blocks()]
        for key, inner in [*blocks, (("on_error",), step.on_error or ())]:
            if found := _path_to(wanted, inner, (*here, *key)):
                return found
    return None
