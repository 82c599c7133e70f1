"""``wait: 5s`` goes on after that time. An async run that waits long holds no thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.engine.pause import pause
from app.engine.scope import Run
from app.expression import Problem
from app.spec.fields import Duration, problem, too_long
from app.spec.json_schema import about
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Action, Builder, Path, Step, StepSchema


class WaitSchema(StepSchema):
    seconds = Duration(
        data_key="wait", required=True, metadata=about("How long: `200ms`, `5s`, `10m`.")
    )


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
            yield ("wait",), too_long(flow.timeout)
        elif self.timeout is not None and self.seconds >= self.timeout:
            message = f"the step's own `timeout` of {self.timeout:g} s would end it before"
            yield ("timeout",), problem("too-long", message, "delete it, or make it longer")

    def build(self, builder: Builder) -> Action:
        place, seconds = builder.place, self.seconds

        def wait(run: Run) -> None:
            pause(run, seconds, run.place + place, self)

        return wait
