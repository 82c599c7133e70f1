"""``for_each: expression`` with ``steps``: once for each ``item`` of a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from app.expression import Compiled
from app.language.blocks import BlockField, StepSchema
from app.language.fields import (
    Expression,
    Integer,
    JsonSchema,
    Template,
    about,
    describe,
    validation_error,
)
from app.language.step import Block, Path, Step
from app.runtime.branches import Branches
from app.runtime.scope import Action, Run
from app.runtime.signals import StepError
from app.runtime.verb import Builder, Verb

_ITEM_IN = re.compile(r"[A-Za-z_]\w* in ([\w.]+)")
"""``item in list``, as other languages write a loop."""
MAX_ITEMS = 10_000
MOST_ITEMS = 100_000
MOST_AT_ONCE = 100


class Items(Expression):
    """A bare expression for a list, or the list itself."""

    EXAMPLE = "write an expression for a list, like `inputs.orders`"

    def json_schema(self) -> JsonSchema:
        return {"type": ["string", "array"]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Compiled:
        if isinstance(value, list):
            return Template().deserialize(value)
        if isinstance(value, str) and (named := _ITEM_IN.fullmatch(value)):
            message = f"`{value}` is true or false, not a list"
            hint = f"write `for_each: {named[1]}`; each of its items is called `item`"
            raise validation_error("not-a-list", message, hint)
        return super()._deserialize(value, *args, **options)


class ForEachSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "do": "write `steps` instead",
        "then": "write `steps` instead",
        "as": "the item is always called `item`, its number `index`",
        "in": "write the list after `for_each:`",
        "items": "write the list after `for_each:`",
        "list": "write the list after `for_each:`",
        "parallel": "write `concurrency: 5`",
        "batch": "write `concurrency: 5`",
        "limit": "write `max_items` instead",
        "max": "write `max_items` instead",
        "result": "write `collect` instead",
        "while": "write `repeat` with `until` for a loop that ends by a condition",
        "until": "write `repeat` with `until` for a loop that ends by a condition",
    }

    items = Items(
        data_key="for_each",
        required=True,
        metadata=about("An expression for a list, or the list: `steps` run once for each `item`."),
    )
    steps = BlockField(required=True, metadata=about("What is done for each item."))
    concurrency = Integer(
        1,
        MOST_AT_ONCE,
        load_default=1,
        metadata=about("How many items are worked on at once; 1 by default."),
    )
    collect = Expression(
        metadata=about("An expression, read after each round; their list is the step's result.")
    )
    max_items = Integer(
        1,
        MOST_ITEMS,
        load_default=MAX_ITEMS,
        metadata=about("More items are a failure; 10,000 by default."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach(Verb):
    items: Compiled
    steps: tuple[Step, ...]
    concurrency: int = 1
    collect: Compiled | None = None
    max_items: int = MAX_ITEMS

    verb: ClassVar[str] = "for_each"
    schema: ClassVar[type[StepSchema]] = ForEachSchema
    without_result: ClassVar[str | None] = "write `collect: …` in it: the list is then its result"

    @property
    def summary(self) -> str:
        at_once = f", {self.concurrency} at once" if self.concurrency > 1 else ""
        return f"{self.items.source}{at_once}"

    @property
    def has_result(self) -> bool:
        return self.collect is not None

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("for_each",), self.items)]

    def blocks(self) -> Sequence[Block]:
        block = Block(
            ("steps",),
            "steps",
            self.steps,
            last=((("collect",), self.collect),) if self.collect else (),
            exports=frozenset({"vars"} if self.concurrency == 1 else ()),
            loop_names=frozenset({"item", "index"}),
            hint="gather values with `collect`, and read their list",
        )
        return [block]

    def build(self, builder: Builder) -> Action:
        items, body, here = self.items.evaluate, builder.round(self.steps), builder.place
        collect = self.collect.evaluate if self.collect else None
        rounds = _one_by_one if self.concurrency == 1 else partial(_at_once, self)

        def carry_out(run: Run) -> list[Any] | None:
            values = self._checked(items(run.scope))

            def one(run: Run) -> Any:
                body(run)
                return collect(run.scope) if collect else None

            results = rounds(run, values, f"{run.place}{here}", one)
            return results if collect else None

        return carry_out

    def _checked(self, values: Any) -> list[Any]:
        if not isinstance(values, list):
            raise StepError("expression", f"`for_each` needs a list, not {describe(values)}")
        if len(values) > self.max_items:
            message = f"the list has {len(values)} items, more than `max_items: {self.max_items}`"
            raise StepError("limit", message)
        return values


Round = Callable[[Run], Any]


def _one_by_one(run: Run, values: list[Any], here: str, one: Round) -> list[Any]:
    """The rounds one after the other: what one of them sets, the next one reads."""
    scope, place = run.scope, run.place
    steps, item, index = scope.steps, scope.item, scope.index
    results = []
    try:
        for number, value in enumerate(values):
            run.place = f"{here}[{number}]/"
            scope.steps, scope.item, scope.index = dict(steps), value, number
            results.append(one(run))
    finally:
        run.place = place
        scope.steps, scope.item, scope.index = steps, item, index
    return results


def _at_once(step: ForEach, run: Run, values: list[Any], here: str, one: Round) -> list[Any]:
    """Several rounds at a time: each begins with what was there before the loop."""
    width = step.concurrency

    def branch(number: int) -> tuple[str, Round]:
        return f"{here}[{number}]/", partial(_enter, one, number, values[number])

    return Branches(run, here, step, len(values), branch).all(min(width, len(values)))


def _enter(one: Round, number: int, value: Any, branch: Run) -> Any:
    branch.scope.item, branch.scope.index = value, number
    return one(branch)
