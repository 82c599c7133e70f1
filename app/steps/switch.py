"""``switch``: a list of ``when`` + ``then``, the last may be ``else``; the first match wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, post_load

from app.engine.scope import Run
from app.expression import Compiled, Problem
from app.spec.fields import Condition, StrictSchema, describe, mistake, problem
from app.spec.json_schema import JsonSchema, object_schema
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Action, Arm, Block, Builder, Path, Step, StepSchema


@dataclass(frozen=True, slots=True)
class Case:
    """One case; ``when`` is ``None`` for ``else``."""

    when: Compiled | None
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """The key its steps stand under."""
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
    then = Block()
    otherwise = Block(data_key="else")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Case:
        if data.keys() == {"when", "then"}:
            return Case(data["when"], data["then"])
        if data.keys() == {"otherwise"}:
            return Case(None, data["otherwise"])
        hint = "give `else` a case of its own, the last: `- else:`"
        if "otherwise" not in data:
            hint = f"add `{'then' if 'when' in data else 'when'}`"
        raise mistake("bad-case", "a case is `when` and `then`, or `else` alone", hint)


class Cases(fields.Field[tuple[Case, ...]]):
    """The list of cases; one that is wrong is replaced by what could be read of it."""

    stand_in: tuple[Case, ...] = ()

    def json_schema(self) -> JsonSchema:
        return {"type": "array", "items": object_schema(_CASE)}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[Case, ...]:
        if not isinstance(value, list):
            message = f"expected a list of cases, got {describe(value)}"
            raise mistake("wrong-type", message, CaseSchema.EXAMPLE)
        cases: list[Case] = []
        errors: dict[int, Any] = {}
        for index, raw in enumerate(value):
            try:
                cases.append(_CASE.load(raw))
            except ValidationError as error:
                errors[index] = error.messages
                cases.append(_readable(error.valid_data))
        if errors:
            raise ValidationError(errors, valid_data=cases)
        return tuple(cases)


_CASE = CaseSchema()


def _readable(valid: Any) -> Case:
    parts = valid if isinstance(valid, dict) else {}
    if "otherwise" in parts and "when" not in parts:
        return Case(None, tuple(parts["otherwise"]))
    return Case(parts.get("when", Condition.stand_in), tuple(parts.get("then", ())))


class SwitchSchema(StepSchema):
    cases = Cases(data_key="switch", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Step):
    cases: tuple[Case, ...]

    verb: ClassVar[str] = "switch"
    schema: ClassVar[type[StepSchema]] = SwitchSchema

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        for index, case in enumerate(self.cases):
            if case.when:
                yield ("switch", index, "when"), case.when

    def arms(self) -> Sequence[Arm]:
        return [
            Arm(("switch", index, case.key), case.title, case.steps)
            for index, case in enumerate(self.cases)
        ]

    @property
    def is_exhaustive(self) -> bool:
        return any(case.when is None for case in self.cases)

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        if not self.cases:
            yield (
                ("switch",),
                problem("bad-case", "a switch needs at least one case", CaseSchema.EXAMPLE),
            )
        for index, case in enumerate(self.cases[:-1]):
            if case.when is None:
                message = "`else` matches everything, so no case after it can run"
                yield ("switch", index, "else"), problem("unreachable", message, "move it last")

    def build(self, builder: Builder) -> Action:
        cases = [
            (case.when.evaluate if case.when else _always, builder.block(arm.steps, arm.path))
            for case, arm in zip(self.cases, self.arms(), strict=True)
        ]

        def choose(run: Run) -> Any:
            for matches, steps in cases:
                if matches(run.scope):
                    return steps(run)
            return None

        return choose


def _always(_: Any) -> bool:
    return True
