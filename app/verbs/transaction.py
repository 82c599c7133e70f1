"""``transaction:`` holds ``sql`` steps that all happen, or none of them.

They share one connection. It commits when the block ends, also by ``return``; it rolls back when a
step fails, when the time is over, and by ``fail``. What a block defined is forgotten when it is
rolled back. In a run with a journal the whole block is one record, which holds what it defined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.database.contract import DatabaseSession, TransactionOptions
from app.expression import Issue
from app.language.blocks import BlockField, StepSchema
from app.language.environment import Environment
from app.language.fields import String, about, issue
from app.language.flow import Flow
from app.language.step import Block, Path, Step, Use
from app.runtime.scope import Action, Run
from app.runtime.signals import FailSignal, ReturnSignal
from app.runtime.verb import Builder, Verb
from app.verbs.sql import Sql, database_used, seconds_left, step_errors

_WAITING = frozenset({"call", "parallel", "repeat", "wait"})
"""Verbs without an effect of their own that would keep a transaction open, or share it."""


class TransactionSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "steps": "write the steps below `transaction:`",
        "db": "write `database` instead",
    }

    steps = BlockField(data_key="transaction", required=True)
    database = String(metadata=about("Its name in services.yaml; not needed where there is one."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(Verb):
    steps: tuple[Step, ...]
    database: str | None = None

    verb: ClassVar[str] = "transaction"
    schema: ClassVar[type[StepSchema]] = TransactionSchema
    has_effect: ClassVar[bool] = True

    @property
    def summary(self) -> str:
        return self.database or ""

    @property
    def unsafe_repetition(self) -> str | None:
        """None: the failures that ``retry`` repeats were rolled back, see ``DatabaseError``."""
        return None

    def blocks(self) -> Sequence[Block]:
        return [Block(("transaction",), "transaction", self.steps)]

    @property
    def is_exhaustive(self) -> bool:
        return True

    def uses(self) -> Iterable[Use]:
        return database_used(self.database)

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        inside = list(_within(self.steps, ("transaction",)))
        for path, step in inside:
            yield from self._check_step(path, step)
        is_readable = all(step.verb != "broken" for _, step in inside)
        if is_readable and not any(isinstance(step, Sql) for _, step in inside):
            message = "there is no `sql` step in this transaction"
            hint = "delete `transaction`, or move the `sql` steps into it"
            yield ("transaction",), issue("bad-transaction", message, hint)

    def _check_step(self, path: Path, step: Step) -> Iterable[tuple[Path, Issue]]:
        if isinstance(step, Sql):
            yield from self._check_sql(path, step)
        elif isinstance(step, Transaction):
            message = "a transaction cannot hold another one"
            yield path, issue("bad-transaction", message, "move its steps into the outer one")
        elif reason := _misplaced(step):
            yield path, issue("bad-transaction", reason, "move it before or after the block")

    def _check_sql(self, path: Path, step: Sql) -> Iterable[tuple[Path, Issue]]:
        if step.database not in (None, self.database):
            message = "a transaction is of one database, which it names itself"
            hint = "delete it; write `database` beside `transaction`"
            yield (*path, "database"), issue("bad-transaction", message, hint)
        for key in ("retry", "retryable"):
            if getattr(step, key) is not None:
                message = "no step of a transaction is repeated alone"
                hint = f"write `{key}` beside `transaction`"
                yield (*path, key), issue("useless-key", message, hint)

    def build(self, builder: Builder) -> Action:
        steps, database = builder.block(self.steps, ("transaction",)), self.database
        forgiving = any(step.on_error is not None for _, step in _within(self.steps, ()))

        def carry_out(run: Run) -> dict[str, Any]:
            options = TransactionOptions(seconds_left(run), True, forgiving)
            before = _Names(run)
            try:
                with (
                    step_errors(run, {}),
                    run.dependencies.databases.session(database, options) as session,
                ):
                    end = _run(steps, run, session)
            except FailSignal as signal:
                before.restore()
                end = {"fail": [signal.message, signal.code]}
            except BaseException:
                before.restore()
                raise
            return {**before.changed(), **end}

        return carry_out

    def replayable(self, action: Action) -> Action:
        def restore(run: Run) -> None:
            done = action(run)
            run.scope.steps.update(done["steps"])
            run.scope.vars.update(done["vars"])
            if "return" in done:
                raise ReturnSignal(done["return"])
            if "fail" in done:
                raise FailSignal(*done["fail"])

        return restore


def _run(steps: Action, run: Run, session: DatabaseSession) -> dict[str, Any]:
    """Run the block with this transaction; how it ended, if by ``return``.

    What is inside keeps no journal: it happens with the block, or not at all.
    """
    journal, run.journal, run.transaction = run.journal, None, session
    try:
        steps(run)
    except ReturnSignal as signal:
        return {"return": signal.outputs}
    finally:
        run.journal, run.transaction = journal, None
    return {}


class _Names:
    """What was defined before a block."""

    def __init__(self, run: Run) -> None:
        self._now = run.scope.steps, run.scope.vars
        self._then = dict(run.scope.steps), dict(run.scope.vars)

    def changed(self) -> dict[str, dict[str, Any]]:
        """What the block has defined."""
        steps, variables = map(_difference, self._now, self._then)
        return {"steps": steps, "vars": variables}

    def restore(self) -> None:
        """Forget what the block has defined."""
        for now, then in zip(self._now, self._then, strict=True):
            for name in _difference(now, then):
                del now[name]
            now.update(then)


def _difference(now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    return {name: now[name] for name in now if now[name] is not then.get(name, now)}


def _misplaced(step: Step) -> str | None:
    if step.has_effect:
        return f"`{step.verb}` cannot stand in a transaction: it could not be rolled back"
    if step.verb in _WAITING or getattr(step, "concurrency", 1) != 1:
        return (
            f"`{step.verb}` cannot stand in a transaction, which is short and one after the other"
        )
    return None


def _within(steps: Sequence[Step], path: Path) -> Iterator[tuple[Path, Step]]:
    """These steps and all in their blocks, but for those in a transaction inside."""
    for index, step in enumerate(steps):
        here = (*path, index)
        yield here, step
        if not isinstance(step, Transaction):
            for block in step.blocks():
                yield from _within(block.steps, (*here, *block.path))
        yield from _within(step.on_error or (), (*here, "on_error"))
