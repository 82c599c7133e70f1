"""``switch``: a list of ``when`` + ``then``, the last may be ``else``; the first match wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import ValidationError, post_load

from app.expression import Compiled, Issue
from app.language.blocks import BlockField, StepSchema
from app.language.environment import Environment
from app.language.fields import (
    Collection,
    Condition,
    JsonSchema,
    StrictSchema,
    issue,
    object_schema,
    validation_error,
)
from app.language.flow import Flow
from app.language.step import Block, Path, Step
from app.runtime.scope import Action, Run
from app.runtime.verb import Builder, Verb


@dataclass(frozen=True, slots=True)
class Case:
    """One case; ``when`` is ``None`` for ``else``."""

    when: Compiled | None
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """The key of its steps."""
        return "then" if self.when else "else"

    @property
    def title(self) -> str:
        """``when condition`` or ``else``."""
        return f"when {self.when.source}" if self.when else "else"


class CaseSchema(StrictSchema):
    MISPLACED = {  # noqa: RUF012
        "if": "write `when` instead",
        "case": "write `when` instead",
        "default": "write `else` instead",
        "steps": "write `then` instead",
        "do": "write `then` instead",
    }
    EXAMPLE = "write `- when: condition` and below it `then:` with steps"

    when = Condition()
    then = BlockField()
    otherwise = BlockField(data_key="else")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Case:
        if data.keys() == {"when", "then"}:
            return Case(data["when"], data["then"])
        if data.keys() == {"otherwise"}:
            return Case(None, data["otherwise"])
        hint = "give `else` a case of its own, the last: `- else:`"
        if "otherwise" not in data:
            hint = f"add `{'then' if 'when' in data else 'when'}`"
        raise validation_error("bad-case", "a case is `when` and `then`, or `else` alone", hint)


class Cases(Collection):
    """The list of cases; one that is wrong is replaced by what could be read of it."""

    WANTED = "a list of cases"
    EXAMPLE = CaseSchema.EXAMPLE
    stand_in: tuple[Case, ...] = ()

    def json_schema(self) -> JsonSchema:
        return {"type": "array", "items": object_schema(_CASE)}

    def read(self, raw: Any) -> Any:
        return _CASE.load(raw)

    def instead(self, error: ValidationError) -> Case:
        parts = error.valid_data if isinstance(error.valid_data, dict) else {}
        if "otherwise" in parts and "when" not in parts:
            return Case(None, parts["otherwise"])
        return Case(parts.get("when", Condition.stand_in), parts.get("then", ()))


_CASE = CaseSchema()


class SwitchSchema(StepSchema):
    cases = Cases(data_key="switch", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Verb):
    cases: tuple[Case, ...]

    verb: ClassVar[str] = "switch"
    schema: ClassVar[type[StepSchema]] = SwitchSchema

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        for index, case in enumerate(self.cases):
            if case.when:
                yield ("switch", index, "when"), case.when

    def blocks(self) -> Sequence[Block]:
        return [
            Block(("switch", index, case.key), case.title, case.steps)
            for index, case in enumerate(self.cases)
        ]

    @property
    def is_exhaustive(self) -> bool:
        return any(case.when is None for case in self.cases)

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        if not self.cases:
            yield (
                ("switch",),
                issue("bad-case", "a switch needs at least one case", CaseSchema.EXAMPLE),
            )
        for index, case in enumerate(self.cases[:-1]):
            if case.when is None:
                message = "`else` matches everything, so no case after it can run"
                yield ("switch", index, "else"), issue("unreachable", message, "move it last")

    def build(self, builder: Builder) -> Action:
        cases = [
            (case.when.evaluate if case.when else _always, builder.block(block.steps, block.path))
            for case, block in zip(self.cases, self.blocks(), strict=True)
        ]

        def choose(run: Run) -> Any:
            for matches, steps in cases:
                if matches(run.scope):
                    return steps(run)
            return None

        return choose


def _always(_: Any) -> bool:
    return True
