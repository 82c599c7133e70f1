"""``fail: {message, code}`` ends the flow, ABORT, with that error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import fields, post_load

from app.engine.control import FailSignal, StepError
from app.engine.scope import Run
from app.expression import Compiled, Problem
from app.json_text import dumps
from app.spec.fields import StrictSchema, Template, TextTemplate, Whole, describe, problem
from app.spec.json_schema import JsonSchema
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Action, Builder, Path, Step, StepSchema

MAX_MESSAGE = 2_000
MAX_CODE = 2**53 - 1
RESERVED_CODES = range(2_000_000_000, 2_100_000_000)
"""The range of the open API's own codes; a flow that answers one of them would be misread."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``message`` is text; ``code`` becomes the envelope's ``errorCode``."""

    message: Compiled
    code: int | Compiled


class CodeField(Whole):
    """A whole number, or ``${…}`` that gives one."""

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [super().json_schema(), {"type": "string", "pattern": r"^\$\{.*\}$"}]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> int | Compiled:  # type: ignore[override]
        if isinstance(value, str) and value.startswith("${") and value.endswith("}"):
            return Template().deserialize(value)
        return super()._deserialize(value, *args, **options)


class FailureSchema(StrictSchema):
    EXAMPLE = "write `fail: {message: what went wrong}`"

    message = TextTemplate(required=True)
    code = CodeField(1, MAX_CODE, load_default=1)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Failure:
        return Failure(**data)


class FailSchema(StepSchema):
    failure = fields.Nested(FailureSchema, data_key="fail", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(Step):
    failure: Failure

    verb: ClassVar[str] = "fail"
    schema: ClassVar[type[StepSchema]] = FailSchema
    ends_flow: ClassVar[bool] = True

    @property
    def summary(self) -> str:
        code = self.failure.code
        shown = code.source if isinstance(code, Compiled) else code
        return self.failure.message.source + (f" (code {shown})" if shown != 1 else "")

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        yield ("fail", "message"), self.failure.message
        if isinstance(self.failure.code, Compiled):
            yield ("fail", "code"), self.failure.code

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        code = self.failure.code
        if isinstance(code, int) and code in RESERVED_CODES:
            message = f"the code {code} is one of the open API's own"
            hint = "choose one below 2000000000"
            yield ("fail", "code"), problem("reserved-code", message, hint)

    def build(self, builder: Builder) -> Action:
        message, code = self.failure.message.evaluate, self.failure.code

        def fail(run: Run) -> None:
            text = message(run.scope)
            number = code if isinstance(code, int) else _checked(code.evaluate(run.scope))
            # Cut behind the masking: of half a secret nobody would know that it is one.
            shown = run.mask(text if isinstance(text, str) else dumps(text))[:MAX_MESSAGE]
            raise FailSignal(shown, number)

        return fail


def _checked(code: Any) -> int:
    if isinstance(code, int) and not isinstance(code, bool) and 1 <= code <= MAX_CODE:
        if code in RESERVED_CODES:
            raise StepError("expression", f"the code {code} is one of the open API's own")
        return code
    raise StepError("expression", f"a code is a whole number above 0, not {describe(code)}")
