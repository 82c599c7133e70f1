"""``fail: {message, code}`` ends the flow, ABORT, with that error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import fields, post_load

from app.engine.control import FailSignal
from app.engine.scope import Run
from app.expression import Compiled, Problem
from app.json_text import dumps
from app.spec.fields import StrictSchema, TextTemplate, Whole, problem
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Action, Builder, Path, Step, StepSchema

MAX_MESSAGE = 2_000
RESERVED_CODES = range(2_000_000_000, 2_100_000_000)
"""The range of the open API's own codes; a flow that answers one of them would be misread."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``message`` is text; ``code`` becomes the envelope's ``errorCode``."""

    message: Compiled
    code: int


class FailureSchema(StrictSchema):
    EXAMPLE = "write `fail: {message: what went wrong}`"

    message = TextTemplate(required=True)
    code = Whole(1, 2**53 - 1, load_default=1)

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
        code = f" (code {self.failure.code})" if self.failure.code != 1 else ""
        return self.failure.message.source + code

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("fail", "message"), self.failure.message)]

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        if self.failure.code in RESERVED_CODES:
            message = f"the code {self.failure.code} is one of the open API's own"
            hint = "choose one below 2000000000"
            yield ("fail", "code"), problem("reserved-code", message, hint)

    def build(self, builder: Builder) -> Action:
        message, code = self.failure.message.evaluate, self.failure.code

        def fail(run: Run) -> None:
            text = message(run.scope)
            raise FailSignal((text if isinstance(text, str) else dumps(text))[:MAX_MESSAGE], code)

        return fail
