"""``wait: 5s`` goes on after that time. An async run that waits long holds no thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from app.expression import Issue
from app.language.blocks import StepSchema
from app.language.environment import Environment
from app.language.fields import Duration, about, issue, too_long
from app.language.flow import Flow
from app.language.step import Path
from app.runtime.pause import pause
from app.runtime.scope import Action, Run
from app.runtime.verb import Builder, Verb


class WaitSchema(StepSchema):
    seconds = Duration(
        data_key="wait", required=True, metadata=about("How long: `200ms`, `5s`, `10m`.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Verb):
    seconds: float

    verb: ClassVar[str] = "wait"
    schema: ClassVar[type[StepSchema]] = WaitSchema

    @property
    def summary(self) -> str:
        return f"{self.seconds:g} s"

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        if self.seconds >= flow.timeout:
            yield ("wait",), too_long(flow.timeout)
        elif self.timeout is not None and self.seconds >= self.timeout:
            message = f"the step's own `timeout` of {self.timeout:g} s would end it before"
            yield ("timeout",), issue("too-long", message, "delete it, or make it longer")

    def build(self, builder: Builder) -> Action:
        place, seconds = builder.place, self.seconds

        def wait(run: Run) -> None:
            pause(run, seconds, run.place + place, self)

        return wait
