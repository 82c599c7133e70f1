"""``check: expression`` holds a value against a ``schema``: a type, or the long form of an input.

The result is the value with its defaults filled in. Values are JSON values: no text counts as a
number. Everything that is wrong is told at once, each with its path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from app.expression import Compiled
from app.language.blocks import StepSchema
from app.language.fields import Condition, about
from app.language.flow import Input
from app.language.inputs import JSON_READERS, InvalidValue, read
from app.language.schemas import NestedInput
from app.language.step import Path
from app.runtime.scope import Action, Run
from app.runtime.signals import StepError
from app.runtime.verb import Builder, Verb


class CheckSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "type": "write `schema` instead",
        "properties": "write it in the schema: `schema: {type: object, properties: …}`",
        "items": "write it in the schema: `schema: {type: list, items: …}`",
        "value": "write the value after the verb: `check: steps.user.body`",
    }

    subject = Condition(data_key="check", required=True)
    rules = NestedInput(
        data_key="schema",
        required=True,
        metadata=about("What the value must be: a type, or an object as for an input."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Verb):
    subject: Compiled
    rules: Input

    verb: ClassVar[str] = "check"
    schema: ClassVar[type[StepSchema]] = CheckSchema

    @property
    def summary(self) -> str:
        return self.subject.source

    @property
    def has_result(self) -> bool:
        return True

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("check",), self.subject)]

    def build(self, builder: Builder) -> Action:
        subject, rules = self.subject.evaluate, self.rules

        def check(run: Run) -> Any:
            try:
                return read(rules, subject(run.scope), JSON_READERS)
            except InvalidValue as error:
                raise StepError("check", "; ".join(error.sentences(run.mask))) from None

        return check
