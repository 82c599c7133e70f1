"""``if: condition`` with ``then`` and, if wanted, ``else``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.expression import Compiled
from app.language.blocks import BlockField, StepSchema
from app.language.fields import Condition
from app.language.step import Block, Path, Step
from app.runtime.scope import Action, Run
from app.runtime.verb import Builder, Verb


class IfSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "otherwise": "write `else` instead",
        "do": "write `then` instead",
        "steps": "write `then` instead",
        "elif": "write a `switch` with one `when` for each case",
        "elseif": "write a `switch` with one `when` for each case",
        "else if": "write a `switch` with one `when` for each case",
    }

    condition = Condition(data_key="if", required=True)
    then = BlockField(required=True)
    otherwise = BlockField(data_key="else")


@dataclass(frozen=True, slots=True, kw_only=True)
class If(Verb):
    condition: Compiled
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...] | None = None

    verb: ClassVar[str] = "if"
    schema: ClassVar[type[StepSchema]] = IfSchema

    @property
    def summary(self) -> str:
        return self.condition.source

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("if",), self.condition)]

    def blocks(self) -> Sequence[Block]:
        blocks = [Block(("then",), "then", self.then)]
        return (
            blocks
            if self.otherwise is None
            else [*blocks, Block(("else",), "else", self.otherwise)]
        )

    @property
    def is_exhaustive(self) -> bool:
        return self.otherwise is not None

    def build(self, builder: Builder) -> Action:
        holds = self.condition.evaluate
        then = builder.block(self.then, ("then",))
        otherwise = builder.block(self.otherwise or (), ("else",))

        def decide(run: Run) -> Any:
            return (then if holds(run.scope) else otherwise)(run)

        return decide
