"""``repeat: {until, every, max}`` with ``steps``: again and again, until a condition holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import fields, post_load

from app.expression import Compiled, Issue
from app.language.blocks import BlockField, StepSchema
from app.language.environment import Environment
from app.language.fields import Condition, Duration, Integer, StrictSchema, about, too_long
from app.language.flow import Flow
from app.language.step import Block, Path, Step
from app.runtime.pause import pause
from app.runtime.scope import Action, Run
from app.runtime.signals import StepError
from app.runtime.verb import Builder, Verb

MOST_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class Polling:
    """When to stop: ``until`` is read after each round. ``every`` is seconds between two."""

    until: Compiled
    every: float | None
    max: int


class PollingSchema(StrictSchema):
    MISPLACED = {  # noqa: RUF012
        "while": "write `until`: the condition under which it stops",
        "times": "write `max` instead",
        "delay": "write `every` instead",
        "interval": "write `every` instead",
        "attempts": "write `max` instead",
        "steps": "write `steps` next to `repeat`, not in it",
        "timeout": "write `timeout` next to `repeat`, not in it",
    }
    EXAMPLE = "write `repeat: {until: condition, every: 1s, max: 20}`"

    until = Condition(required=True, metadata=about("Ends it; read after each round."))
    every = Duration(load_default=None, metadata=about("The time between two rounds."))
    max = Integer(
        1, MOST_ROUNDS, load_default=20, metadata=about("More rounds are a failure; 20 by default.")
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Polling:
        return Polling(**data)


_BELOW = "write it below `repeat:`, in `{until: condition, every: 1s, max: 20}`"


class RepeatSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "do": "write `steps` instead",
        "then": "write `steps` instead",
        "until": _BELOW,
        "every": _BELOW,
        "max": _BELOW,
        "collect": "write `for_each` for a list, or `set` a variable in each round",
    }

    plan = fields.Nested(
        PollingSchema,
        data_key="repeat",
        required=True,
        metadata=about("When to stop, how long to pause between two rounds, how many at most."),
    )
    steps = BlockField(required=True, metadata=about("What is done in each round."))

    def elsewhere(self, data: Mapping[str, Any]) -> frozenset[str]:
        plan = data.get("repeat")
        if isinstance(plan, dict):
            return frozenset({"steps"} if "steps" in plan else ())
        return frozenset({"repeat"} if plan is None and "until" in data else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Verb):
    plan: Polling
    steps: tuple[Step, ...]

    verb: ClassVar[str] = "repeat"
    schema: ClassVar[type[StepSchema]] = RepeatSchema

    @property
    def summary(self) -> str:
        pause = f", every {self.plan.every:g} s" if self.plan.every else ""
        return f"until {self.plan.until.source}{pause}, at most {self.plan.max} times"

    def blocks(self) -> Sequence[Block]:
        until = (("repeat", "until"), self.plan.until)
        names = frozenset({"index"})
        return [Block(("steps",), "steps", self.steps, last=(until,), loop_names=names)]

    @property
    def is_exhaustive(self) -> bool:
        return True

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        every = self.plan.every
        if every is not None and every >= flow.timeout:
            yield ("repeat", "every"), too_long(flow.timeout)

    def build(self, builder: Builder) -> Action:
        body, here = builder.round(self.steps), builder.place
        holds, every, rounds = self.plan.until.evaluate, self.plan.every, self.plan.max

        def carry_out(run: Run) -> Any:
            scope, place, before = run.scope, run.place, run.scope.steps
            for index in range(rounds):
                if index and every:
                    pause(run, every, f"{place}{here}[{index}]", self)
                run.place = f"{place}{here}[{index}]/"
                # The ids of a round are those of this round alone; the last one's are kept.
                scope.steps, scope.index = dict(before), index
                result = body(run)
                if holds(scope):
                    return result
            raise StepError(
                "limit", f"`{self.plan.until.source}` did not hold after {rounds} rounds"
            )

        return _restored(carry_out)


def _restored(action: Action) -> Action:
    """The action, after which place and index are what they were."""

    def restoring(run: Run) -> Any:
        place, index = run.place, run.scope.index
        try:
            return action(run)
        finally:
            run.place, run.scope.index = place, index

    return restoring
