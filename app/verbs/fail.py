"""``fail: {message, code}`` ends the flow, ABORT, with that error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import fields, post_load

from app.expression import Compiled, Issue
from app.language.blocks import StepSchema
from app.language.environment import Environment
from app.language.fields import (
    Integer,
    JsonSchema,
    StrictSchema,
    Template,
    TextTemplate,
    describe,
    issue,
)
from app.language.flow import Flow
from app.language.step import Path
from app.runtime.scope import Action, Run
from app.runtime.signals import FailSignal, StepError
from app.runtime.verb import Builder, Verb
from app.strict_json import dumps

MAX_MESSAGE = 2_000
MAX_CODE = 2**53 - 1
RESERVED_CODES = range(2_000_000_000, 2_100_000_000)
"""The range of the open API's own codes; a flow that answers one of them would be misread."""


@dataclass(frozen=True, slots=True)
class FailOptions:
    """``message`` is text; ``code`` becomes the envelope's ``errorCode``."""

    message: Compiled
    code: int | Compiled


class CodeField(Integer):
    """A whole number, or ``${…}`` that gives one."""

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [super().json_schema(), {"type": "string", "pattern": r"^\$\{.*\}$"}]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> int | Compiled:  # type: ignore[override]
        if isinstance(value, str) and value.startswith("${") and value.endswith("}"):
            return Template().deserialize(value)
        return super()._deserialize(value, *args, **options)


class FailOptionsSchema(StrictSchema):
    EXAMPLE = "write `fail: {message: what went wrong}`"

    message = TextTemplate(required=True)
    code = CodeField(1, MAX_CODE, load_default=1)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> FailOptions:
        return FailOptions(**data)


class FailSchema(StepSchema):
    failure = fields.Nested(FailOptionsSchema, data_key="fail", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(Verb):
    failure: FailOptions

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

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        code = self.failure.code
        if isinstance(code, int) and code in RESERVED_CODES:
            message = f"the code {code} is one of the open API's own"
            hint = "choose one below 2000000000"
            yield ("fail", "code"), issue("reserved-code", message, hint)

    def build(self, builder: Builder) -> Action:
        message, code = self.failure.message.evaluate, self.failure.code

        def fail(run: Run) -> None:
            text = message(run.scope)
            number = code if isinstance(code, int) else _checked(code.evaluate(run.scope))
            # Cut after masking: half of a secret would not be recognised.
            shown = run.mask(text if isinstance(text, str) else dumps(text))[:MAX_MESSAGE]
            raise FailSignal(shown, number)

        return fail


def _checked(code: Any) -> int:
    if isinstance(code, int) and not isinstance(code, bool) and 1 <= code <= MAX_CODE:
        if code in RESERVED_CODES:
            raise StepError("expression", f"the code {code} is one of the open API's own")
        return code
    raise StepError("expression", f"a code is a whole number above 0, not {describe(code)}")
