"""``return: {output: value}`` ends the flow, FINISH."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.engine.control import ReturnSignal
from app.engine.scope import Run
from app.expression import Compiled, Problem
from app.spec.diagnostics import did_you_mean
from app.spec.fields import Assignments, AssignmentsTemplate, problem
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Action, Builder, Path, Step, StepSchema


class ReturnSchema(StepSchema):
    outputs = AssignmentsTemplate(data_key="return", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(Step):
    outputs: Assignments

    verb: ClassVar[str] = "return"
    schema: ClassVar[type[StepSchema]] = ReturnSchema
    ends_flow: ClassVar[bool] = True

    @property
    def summary(self) -> str:
        return ", ".join(self.outputs.names) or "nothing"

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("return",), self.outputs.values)]

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
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
                    problem("unknown-output", f"`{name}` is not an output of this flow", hint),
                )

    def build(self, builder: Builder) -> Action:
        outputs = self.outputs.values.evaluate

        def end(run: Run) -> None:
            raise ReturnSignal(outputs(run.scope))

        return end
