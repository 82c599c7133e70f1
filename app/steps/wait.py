"""``wait: 5s`` goes on after that time. An async run that waits long holds no thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.engine.pause import pause
from app.engine.scope import Run
from app.expression import Problem
from app.spec.fields import Duration, problem
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Action, Builder, Path, Step, StepSchema


class WaitSchema(StepSchema):
    seconds = Duration(data_key="wait", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    seconds: float

    verb: ClassVar[str] = "wait"
    schema: ClassVar[type[StepSchema]] = WaitSchema

    @property
    def summary(self) -> str:
        return f"{self.seconds:g} s"

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        if self.seconds >= flow.timeout:
            message = f"a run of this flow may take {flow.timeout:g} s in all"
            hint = "write a longer `timeout` at the top of the flow"
            yield ("wait",), problem("too-long", message, hint)

    def build(self, builder: Builder) -> Action:
        place, seconds = builder.place, self.seconds

        def wait(run: Run) -> None:
            pause(run, seconds, run.place + place, self)

        return wait
