"""``set: {name: value}`` assigns ``vars.name``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from app.engine.scope import Run
from app.expression import Compiled, Problem
from app.spec.fields import Assignments, AssignmentsTemplate, problem
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Action, Builder, Path, Step, StepSchema, is_name, name_hint


class SetSchema(StepSchema):
    assignments = AssignmentsTemplate(data_key="set", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Step):
    assignments: Assignments

    verb: ClassVar[str] = "set"
    schema: ClassVar[type[StepSchema]] = SetSchema

    @property
    def summary(self) -> str:
        return ", ".join(self.assignments.names)

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("set",), self.assignments.values)]

    def defines(self) -> Iterable[str]:
        return self.assignments.names

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        return [
            (("set", name), problem("bad-name", f"`{name}` is not a name", name_hint(name)))
            for name in self.assignments.names
            if not is_name(name)
        ]

    def build(self, builder: Builder) -> Action:
        values = self.assignments.values.evaluate

        def assign(run: Run) -> dict[str, Any]:
            assigned: dict[str, Any] = values(run.scope)
            run.scope.vars.update(assigned)
            return assigned

        return assign
