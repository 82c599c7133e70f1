"""``set: {name: value}`` assigns ``vars.name``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from app.expression import Compiled, Issue
from app.language.blocks import StepSchema
from app.language.environment import Environment
from app.language.fields import Assignments, AssignmentsTemplate, is_name, issue, name_hint
from app.language.flow import Flow
from app.language.step import Path
from app.runtime.scope import Action, Run
from app.runtime.verb import Builder, Verb


class SetSchema(StepSchema):
    assignments = AssignmentsTemplate(data_key="set", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Verb):
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

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        return [
            (("set", name), issue("bad-name", f"`{name}` is not a name", name_hint(name)))
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
