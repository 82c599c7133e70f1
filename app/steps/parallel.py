"""``parallel: {name: [steps], …}``: branches at once; the result has what each of them gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from app.engine.branches import Branches
from app.engine.scope import Run
from app.expression import Problem
from app.json_text import loads
from app.spec.fields import Choice, describe, mistake, problem
from app.spec.json_schema import STEP_REF, JsonSchema, about
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import (
    Action,
    Arm,
    Block,
    Builder,
    Path,
    Step,
    StepSchema,
    assigned_in,
    is_name,
    name_hint,
)

MOST_BRANCHES = 50
_EXAMPLE = "write a name for each branch, and its steps below it: `user:`, then `- http: …`"


class BranchesField(fields.Field[Mapping[str, tuple[Step, ...]]]):
    """Names of branches and their steps."""

    stand_in: Mapping[str, tuple[Step, ...]] = {}

    def json_schema(self) -> JsonSchema:
        branch = {"type": "array", "items": STEP_REF}
        return {"type": "object", "additionalProperties": branch, "minProperties": 1}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, tuple[Step, ...]]:
        if not isinstance(value, dict):
            message = f"expected branches with names, got {describe(value)}"
            raise mistake("wrong-type", message, _EXAMPLE)
        if not 1 <= len(value) <= MOST_BRANCHES:
            message = f"expected 1 to {MOST_BRANCHES} branches, got {len(value)}"
            raise mistake("bad-branches", message, _EXAMPLE)
        branches: dict[str, tuple[Step, ...]] = {}
        errors: dict[str, Any] = {}
        for name, steps in value.items():
            try:
                branches[name] = tuple(Block().deserialize(steps) or ())
            except ValidationError as error:
                errors[name] = error.messages
                branches[name] = _readable(error.valid_data)
        if errors:
            raise ValidationError(errors, valid_data=branches)
        return branches


def _readable(valid: Any) -> tuple[Step, ...]:
    return tuple(valid) if isinstance(valid, list) else ()


_BELOW = "write the branches below `parallel:`, each with its name"


class WaitField(Choice):
    """``all`` or ``first``; who writes a time meant another key."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        if isinstance(value, str) and value[:1].isdecimal():
            message = f"expected one of {', '.join(self.words)}, got {describe(value)}"
            hint = f"write `timeout: {value}`, or `- wait: {value}` as a step of its own"
            raise mistake("bad-choice", message, hint)
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
class Parallel(Step):
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

    def fields(self, around: Surroundings) -> tuple[str, ...]:
        return tuple(self.branches)

    def arms(self) -> Sequence[Arm]:
        return [
            Arm(
                ("parallel", name),
                name,
                steps,
                lets_out=frozenset({"vars"}),
                behind=f"read what the branch gives: `steps.{self.id or '<id>'}.{name}`",
            )
            for name, steps in self.branches.items()
        ]

    @property
    def runs_every_arm(self) -> bool:
        return True

    @property
    def is_exhaustive(self) -> bool:
        return self.wait == "all"

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        for name in self.branches:
            if not is_name(name):
                message = f"`{name}` is not a name for a branch"
                yield ("parallel", name), problem("bad-name", message, name_hint(name))
        if self.wait == "all":
            yield from self._assigned_twice()

    def _assigned_twice(self) -> Iterator[tuple[Path, Problem]]:
        assigned = {arm.title: list(assigned_in(arm.steps, arm.path)) for arm in self.arms()}
        branches = Counter(name for found in assigned.values() for name in {n for n, _ in found})
        for found in assigned.values():
            for name, path in found:
                if branches[name] > 1:
                    message = f"more than one branch sets `vars.{name}`, and they run at once"
                    hint = "choose a name for each branch, or read their results"
                    yield path, problem("assigned-twice", message, hint)

    def build(self, builder: Builder) -> Action:
        here = builder.place
        branches = [
            _Branch(name, builder.round(steps), frozenset(name for name, _ in assigned_in(steps)))
            for name, steps in self.branches.items()
        ]
        carry_out = self._all if self.wait == "all" else self._first

        def branch_out(run: Run) -> dict[str, Any]:
            under_way = _UnderWay(run, run.place + here, branches)
            carry_out(run, under_way)
            return under_way.results

        return branch_out

    @staticmethod
    def _all(_: Run, under_way: _UnderWay) -> None:
        under_way.carry_out(range(len(under_way.branches)))

    def _first(self, run: Run, under_way: _UnderWay) -> None:
        """Which branch was the first is written down: a replay must not decide it again."""
        journal, place = run.journal, f"{under_way.place}/first"
        record = journal.noted(place) if journal else None
        if journal is None:
            under_way.race()
        elif record is None:
            winner = under_way.race()
            journal.note(place, self, winner, f"{under_way.branches[winner].name} was first")
        else:
            under_way.carry_out([loads(record.value or "0")])
            journal.ended(place)


@dataclass(frozen=True, slots=True)
class _Branch:
    """One branch; ``sets`` are the names of variables that it may set."""

    name: str
    steps: Action
    sets: frozenset[str]


class _UnderWay:
    """The branches of one step in one run, and what they gave so far."""

    def __init__(self, run: Run, place: str, branches: Sequence[_Branch]) -> None:
        self.place = place
        self.branches = branches
        self.results: dict[str, Any] = dict.fromkeys(branch.name for branch in branches)
        self._run = run
        self._runs = Branches(run, place)

    def carry_out(self, indexes: Sequence[int]) -> None:
        """Carry out these, and take over what they set."""
        given = self._runs.all(map(self._body, indexes), len(indexes))
        for index in indexes:
            self._take(index, given[index])

    def race(self) -> int:
        """Carry out all until one has ended well, and take over what that one set; its index."""
        index, given = self._runs.first(map(self._body, range(len(self.branches))))
        self._take(index, given)
        return index

    def _body(self, index: int) -> tuple[int, str, Action]:
        branch = self.branches[index]
        return index, f"{self.place}/parallel/{branch.name}/", branch.steps

    def _take(self, index: int, given: Any) -> None:
        branch, variables = self.branches[index], self._runs.runs[index].scope.vars
        self.results[branch.name] = given
        self._run.scope.vars.update(
            {name: variables[name] for name in branch.sets if name in variables}
        )
