"""``call: key/version`` runs another flow as a step; its outputs are the result."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import fields

from app.errors import InputsInvalid
from app.expression import Compiled, Issue, compile_template
from app.language.blocks import StepSchema
from app.language.environment import CallableFlows, Environment
from app.language.fields import (
    Assignments,
    AssignmentsTemplate,
    JsonSchema,
    about,
    describe,
    issue,
    validation_error,
)
from app.language.flow import Flow
from app.language.inputs import coerce
from app.language.step import Path
from app.runtime.masking import masker_of
from app.runtime.program import Program
from app.runtime.scope import Action, Run, RunScope
from app.runtime.signals import FailSignal, StepError
from app.runtime.verb import Builder, Verb
from app.words import did_you_mean

MAX_DEPTH = 10
"""Flows within flows."""
_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}/v(?:0|[1-9]\d{0,8})")
_SPELLING = re.compile(r"(?:.*/)?([A-Za-z][\w-]{0,63})[/:@.]v?(0|[1-9]\d{0,8})(?:\.ya?ml)?")
_EXAMPLE = "write the key and the version: `call: billing/v1`"


class FlowNameField(fields.Field[str]):
    """``key/version``."""

    stand_in = ""

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": f"^{_TARGET.pattern}$"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, str) and _TARGET.fullmatch(value):
            return value
        if isinstance(value, str) and _TARGET.fullmatch(f"{value}/v1"):
            raise validation_error(
                "bad-target", "the version is missing", f"write `call: {value}/v1`"
            )
        if isinstance(value, str) and "${" in value:
            message = "the name of the flow that is called holds no `${…}`"
            raise validation_error("bad-target", message, "choose between several with `switch`")
        message = f"expected the key and the version of a flow, got {describe(value)}"
        raise validation_error("bad-target", message, _target_hint(value))


def _target_hint(value: Any) -> str:
    """The flow that a path or another spelling probably means."""
    meant = _SPELLING.fullmatch(value) if isinstance(value, str) else None
    return f"write `call: {meant[1]}/v{meant[2]}`" if meant else _EXAMPLE


class CallSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "inputs": "write `with` instead",
        "args": "write `with` instead",
        "params": "write `with` instead",
        "arguments": "write `with` instead",
        "parameters": "write `with` instead",
        "input": "write `with` instead",
        "version": "write the version after the key: `call: billing/v1`",
    }

    target = FlowNameField(
        data_key="call", required=True, metadata=about("The flow to run: `key/version`.")
    )
    arguments = AssignmentsTemplate(
        data_key="with",
        load_default=lambda: Assignments((), compile_template({})),
        metadata=about("Its inputs: `name: value` lines."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Verb):
    target: str
    arguments: Assignments

    verb: ClassVar[str] = "call"
    schema: ClassVar[type[StepSchema]] = CallSchema

    @property
    def summary(self) -> str:
        return self.target

    @property
    def has_result(self) -> bool:
        return True

    @property
    def calls(self) -> Iterable[str]:
        return (self.target,) if self.target else ()

    def fields(self, environment: Environment) -> tuple[str, ...]:
        called = environment.flows.flows.get(self.target) if environment.flows else None
        return tuple(called.outputs) if called else ()

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("with",), self.arguments.values)]

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        if environment.flows is not None and self.target:
            found = self._bad_target(f"{flow.key}/{flow.version}", environment.flows)
            if found is not None:
                yield ("call",), found
            elif self.target in environment.flows.flows:
                yield from self._bad_arguments(environment.flows.flows[self.target])

    def _bad_target(self, caller: str, flows: CallableFlows) -> Issue | None:
        if chain := flows.chain(self.target, caller):
            message = f"the flow calls itself: {' → '.join([caller, *chain])}"
            return issue("call-cycle", message, "write a loop: `repeat` or `for_each`")
        if flows.depth(self.target, MAX_DEPTH + 1) > MAX_DEPTH:
            message = f"this is deeper than {MAX_DEPTH} flows that call each other"
            return issue("call-depth", message, "bring the steps of some of them together")
        if self.target in flows.broken:
            message = f"`{self.target}` has errors itself, so it cannot be called"
            return issue("broken-flow", message, "see: siteswap lint")
        if self.target not in flows.flows:
            near = did_you_mean(self.target, flows.flows)
            hint = f"write `{near}`" if near else f"its file would be flows/{self.target}.yaml"
            return issue("unknown-flow", f"there is no flow `{self.target}`", hint)
        return None

    def _bad_arguments(self, called: Flow) -> Iterator[tuple[Path, Issue]]:
        if self.arguments is AssignmentsTemplate.stand_in:
            return  # it could not be read
        for name in self.arguments.names:
            if name not in called.inputs:
                near = did_you_mean(name, called.inputs)
                has = ", ".join(called.inputs) or "none"
                hint = f"write `{near}` instead" if near else f"its inputs: {has}"
                message = f"`{name}` is not an input of {self.target}"
                yield ("with", name), issue("unknown-input", message, hint)
        missing = [
            name
            for name, spec in called.inputs.items()
            if spec.required and name not in self.arguments.names
        ]
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            message = f"{self.target} needs the input{'s' if len(missing) > 1 else ''} {names}"
            lines = ", ".join(f"{name}: …" for name in missing)
            hint = f"write `with: {{{lines}}}`, or these lines below `with:`"
            yield ("call",), issue("missing-input", message, hint)

    def build(self, builder: Builder) -> Action:
        program = builder.program(self.target)
        here, values = builder.place, self.arguments.values.evaluate

        def call(run: Run) -> dict[str, Any]:
            inner = self._enter(run, program, values(run.scope), f"{run.place}{here}/call/")
            return self._outputs(program, inner)

        return call

    def limit(self, builder: Builder) -> float | None:
        called = builder.program(self.target).flow
        limits = [called.timeout] if called.has_own_timeout else []
        limits += [] if self.timeout is None else [self.timeout]
        return min(limits, default=None)

    def _enter(self, run: Run, program: Program, given: dict[str, Any], place: str) -> Run:
        flow = program.flow
        try:
            inputs = coerce(flow.inputs, given)
        except InputsInvalid as error:
            raise StepError("call", f"{self.target}: {error.message}") from None
        named = {**run.scope.flow, "key": flow.key, "version": flow.version}
        scope = RunScope(inputs, run.scope.request, named, run.dependencies)
        own, outer = masker_of(inputs, flow.secret_inputs, run.dependencies.secrets), run.mask
        return run.enter(scope, lambda text: outer(own(text)), place)

    def _outputs(self, program: Program, inner: Run) -> dict[str, Any]:
        try:
            return program.outputs_of(inner)
        except StepError as error:
            where = f"step `{error.step}`: " if error.step else ""
            message = inner.mask(f"{self.target}: {where}{error.message}")
            raise StepError(error.kind, message, response=error.response, code=error.code) from None
        except FailSignal as signal:
            message = inner.mask(signal.message)
            raise StepError("fail", message, code=signal.code) from None
