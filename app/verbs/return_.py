"""``return: {output: value}`` ends the flow, FINISH."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.expression import Compiled, Issue
from app.language.blocks import StepSchema
from app.language.environment import Environment
from app.language.fields import Assignments, AssignmentsTemplate, issue
from app.language.flow import Flow
from app.language.step import Path
from app.runtime.scope import Action, Run
from app.runtime.signals import ReturnSignal
from app.runtime.verb import Builder, Verb
from app.words import did_you_mean


class ReturnSchema(StepSchema):
    outputs = AssignmentsTemplate(data_key="return", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(Verb):
    outputs: Assignments

    verb: ClassVar[str] = "return"
    schema: ClassVar[type[StepSchema]] = ReturnSchema
    ends_flow: ClassVar[bool] = True

    @property
    def summary(self) -> str:
        return ", ".join(self.outputs.names) or "nothing"

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("return",), self.outputs.values)]

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        for name in self.outputs.names:
            if name not in flow.outputs:
                near = did_you_mean(name, flow.outputs)
                hint = (
                    f"write `{near}` instead"
                    if near
                    else f"declare it: `outputs: {{{name}: string}}`"
                )
                yield (
                    ("return", name),
                    issue("unknown-output", f"`{name}` is not an output of this flow", hint),
                )

    def build(self, builder: Builder) -> Action:
        outputs = self.outputs.values.evaluate

        def end(run: Run) -> None:
            raise ReturnSignal(outputs(run.scope))

        return end
