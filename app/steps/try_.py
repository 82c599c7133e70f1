"""``try: [steps]`` are steps that fail as one: its ``on_error`` is for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.step import Action, Arm, Block, Builder, Step, StepSchema


class TrySchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "catch": "write `on_error` instead",
        "except": "write `on_error` instead",
        "rescue": "write `on_error` instead",
        "steps": "write the steps below `try:`",
    }

    steps = Block(data_key="try", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try(Step):
    steps: tuple[Step, ...]

    verb: ClassVar[str] = "try"
    schema: ClassVar[type[StepSchema]] = TrySchema

    @property
    def summary(self) -> str:
        return ", ".join(step.label for step in self.steps)

    def arms(self) -> Sequence[Arm]:
        return [Arm(("try",), "try", self.steps)]

    @property
    def is_exhaustive(self) -> bool:
        return True

    def build(self, builder: Builder) -> Action:
        return builder.block(self.steps, ("try",))
