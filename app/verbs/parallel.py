"""``parallel: {name: [steps], …}``: branches at once; the result has what each of them gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import ValidationError

from app.expression import Issue
from app.language.blocks import BlockField, StepSchema
from app.language.environment import Environment
from app.language.fields import (
    STEP_REF,
    Choice,
    Collection,
    JsonSchema,
    about,
    describe,
    is_name,
    issue,
    name_hint,
    validation_error,
)
from app.language.flow import Flow
from app.language.step import Block, Path, Step, assigned_in
from app.runtime.branches import Branches
from app.runtime.scope import Action, Run
from app.runtime.verb import Builder, Verb

MOST_BRANCHES = 50
_EXAMPLE = "write a name for each branch, and its steps below it: `user:`, then `- http: …`"


class BranchesField(Collection):
    """Names of branches and their steps."""

    KIND = dict
    WANTED = "branches with names"
    EXAMPLE = _EXAMPLE
    stand_in: Mapping[str, tuple[Step, ...]] = {}

    def json_schema(self) -> JsonSchema:
        branch = {"type": "array", "items": STEP_REF}
        return {"type": "object", "additionalProperties": branch, "minProperties": 1}

    def read(self, raw: Any) -> Any:
        return BlockField().deserialize(raw)

    def instead(self, error: ValidationError) -> Any:
        return error.valid_data or ()

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if isinstance(value, dict) and not 1 <= len(value) <= MOST_BRANCHES:
            message = f"expected 1 to {MOST_BRANCHES} branches, got {len(value)}"
            raise validation_error("bad-branches", message, _EXAMPLE)
        return super()._deserialize(value, *args, **options)


_BELOW = "write the branches below `parallel:`, each with its name"


class WaitField(Choice):
    """``all`` or ``first``; who writes a time meant another key."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        if isinstance(value, str) and value[:1].isdecimal():
            message = f"expected one of {', '.join(self.words)}, got {describe(value)}"
            hint = f"write `timeout: {value}`, or `- wait: {value}` as a step of its own"
            raise validation_error("bad-choice", message, hint)
        return super()._deserialize(value, *args, **options)


class ParallelSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "branches": _BELOW,
        "steps": _BELOW,
        "concurrency": "all branches run at once; for a list write `for_each` with `concurrency`",
    }

    branches = BranchesField(
        data_key="parallel",
        required=True,
        metadata=about("Branches with names, each a list of steps; they run at once."),
    )
    wait = WaitField(
        ("all", "first"),
        load_default="all",
        metadata=about("`all`: until each has ended; `first`: until one has ended well."),
    )

    def elsewhere(self, data: Mapping[str, Any]) -> frozenset[str]:
        is_beside = "branches" in data or "steps" in data
        return frozenset({"parallel"} if is_beside and data.get("parallel") is None else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(Verb):
    branches: Mapping[str, tuple[Step, ...]]
    wait: str = "all"

    verb: ClassVar[str] = "parallel"
    schema: ClassVar[type[StepSchema]] = ParallelSchema

    @property
    def summary(self) -> str:
        names = ", ".join(self.branches)
        return names if self.wait == "all" else f"the first of {names}"

    @property
    def has_result(self) -> bool:
        return True

    def fields(self, environment: Environment) -> tuple[str, ...]:
        return tuple(self.branches)

    def blocks(self) -> Sequence[Block]:
        return [
            Block(
                ("parallel", name),
                name,
                steps,
                exports=frozenset({"vars"}),
                hint=f"read what the branch gives: `steps.{self.id or '<id>'}.{name}`",
            )
            for name, steps in self.branches.items()
        ]

    @property
    def runs_every_block(self) -> bool:
        return True

    @property
    def is_exhaustive(self) -> bool:
        return self.wait == "all"

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        for name in self.branches:
            if not is_name(name):
                message = f"`{name}` is not a name for a branch"
                yield ("parallel", name), issue("bad-name", message, name_hint(name))
        if self.wait == "all":
            yield from self._assigned_twice()

    def _assigned_twice(self) -> Iterator[tuple[Path, Issue]]:
        assigned = {
            block.title: list(assigned_in(block.steps, block.path)) for block in self.blocks()
        }
        branches = Counter(name for found in assigned.values() for name in {n for n, _ in found})
        for found in assigned.values():
            for name, path in found:
                if branches[name] > 1:
                    message = f"more than one branch sets `vars.{name}`, and they run at once"
                    hint = "choose a name for each branch, or read their results"
                    yield path, issue("assigned-twice", message, hint)

    def build(self, builder: Builder) -> Action:
        here = builder.place
        branches = [
            _Branch(name, builder.round(steps), frozenset(name for name, _ in assigned_in(steps)))
            for name, steps in self.branches.items()
        ]
        carry_out = _all if self.wait == "all" else _first

        def branch_out(run: Run) -> dict[str, Any]:
            place = run.place + here

            def begin(index: int) -> tuple[str, Action]:
                return f"{place}/parallel/{branches[index].name}/", branches[index].carry_out

            results = dict.fromkeys(self.branches)
            ended = carry_out(Branches(run, place, self, len(branches), begin))
            for index, (given, variables) in ended:
                results[branches[index].name] = given
                run.scope.vars.update(variables)
            return results

        return branch_out


Ended = Iterable[tuple[int, Any]]
"""The numbers of branches that count, and what they gave."""


def _all(branches: Branches) -> Ended:
    return enumerate(branches.all(branches.count))


def _first(branches: Branches) -> Ended:
    return [branches.first()]


@dataclass(frozen=True, slots=True)
class _Branch:
    """One branch; ``sets`` are the names of variables that it may set."""

    name: str
    steps: Action
    sets: frozenset[str]

    def carry_out(self, run: Run) -> tuple[Any, dict[str, Any]]:
        """What its last step gives, and the variables that it set."""
        given, variables = self.steps(run), run.scope.vars
        return given, {name: variables[name] for name in self.sets if name in variables}
