"""``try: [steps]`` are steps that fail as one: its ``on_error`` is for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.language.blocks import BlockField, StepSchema
from app.language.step import Block, Step
from app.runtime.scope import Action
from app.runtime.verb import Builder, Verb


class TrySchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "catch": "write `on_error` instead",
        "except": "write `on_error` instead",
        "rescue": "write `on_error` instead",
        "steps": "write the steps below `try:`",
    }

    steps = BlockField(data_key="try", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try(Verb):
    steps: tuple[Step, ...]

    verb: ClassVar[str] = "try"
    schema: ClassVar[type[StepSchema]] = TrySchema

    @property
    def summary(self) -> str:
        return ", ".join(step.label for step in self.steps)

    def blocks(self) -> Sequence[Block]:
        return [Block(("try",), "try", self.steps)]

    @property
    def is_exhaustive(self) -> bool:
        return True

    def build(self, builder: Builder) -> Action:
        return builder.block(self.steps, ("try",))
