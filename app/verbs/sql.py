"""``sql: text`` carries out one statement on a named database.

The result is ``{rows, count}``; with ``mode: one`` it is ``{row}``, with ``mode: value`` it is
``{value}``, both ``null`` if there is no row; with ``mode: execute`` it is ``{count}``, the number
of rows that were changed. Values go to the database as parameters, and never into the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from app.database.contract import DatabaseError, Query, QueryResult, TransactionOptions
from app.expression import Compiled, Issue, compile_template
from app.language.blocks import StepSchema
from app.language.environment import Environment
from app.language.fields import (
    Assignments,
    AssignmentsTemplate,
    Choice,
    Integer,
    String,
    about,
    describe,
    issue,
)
from app.language.flow import Flow
from app.language.sql import Name, SqlText, Statement
from app.language.step import Path, Use
from app.runtime.masking import MASK, MIN_LENGTH, masker, one_line
from app.runtime.scope import Action, Run
from app.runtime.signals import DeadlinePassed, StepError
from app.runtime.verb import Builder, Verb
from app.words import did_you_mean

DEFAULT_MAX_ROWS = 10_000
EARLY_SECONDS = 0.25
"""A database may end a statement a little before its time; that counts as the end of its time."""

_SHOWN = 200
_NO_PARAMS = Assignments((), compile_template({}))
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def _rows(max_rows: int, answer: QueryResult) -> dict[str, Any]:
    if len(answer.rows) > max_rows:
        message = f"the statement gave more than {max_rows} rows: write a LIMIT, or set `max_rows`"
        raise StepError("limit", message)
    columns = _columns(answer)
    found = [dict(zip(columns, row, strict=True)) for row in answer.rows]
    return {"rows": found, "count": len(found)}


def _one(_: int, answer: QueryResult) -> dict[str, Any]:
    row = _only(answer)
    return {"row": None if row is None else dict(zip(_columns(answer), row, strict=True))}


def _value(_: int, answer: QueryResult) -> dict[str, Any]:
    row = _only(answer)
    return {"value": None if row is None else row[0]}


def _count(_: int, answer: QueryResult) -> dict[str, Any]:
    return {"count": answer.count}


_Shape = Callable[[int, QueryResult], dict[str, Any]]
_MODES: Mapping[str, tuple[_Shape, tuple[str, ...]]] = {
    "rows": (_rows, ("rows", "count")),
    "one": (_one, ("row",)),
    "value": (_value, ("value",)),
    "execute": (_count, ("count",)),
}
"""Mode → what makes the step's result of an answer, and the fields that this has."""


def _only(answer: QueryResult) -> tuple[Any, ...] | None:
    if len(answer.rows) > 1:
        raise StepError("limit", "the statement gave more than one row: write a LIMIT 1")
    _columns(answer)
    return answer.rows[0] if answer.rows else None


def _columns(answer: QueryResult) -> tuple[str, ...]:
    columns = answer.columns
    if columns is None:
        raise StepError("sql", "the statement gave no rows: the step needs `mode: execute`")
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise StepError("sql", f"two columns are called `{twice}`: name one of them with AS")
    return columns


class SqlSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        **dict.fromkeys(("parameters", "args", "values", "with"), "write `params` instead"),
        "db": "write `database` instead",
        "limit": "write `max_rows` instead",
    }

    statement = SqlText(
        data_key="sql", required=True, metadata=about("One statement; `:name` is a parameter.")
    )
    params = AssignmentsTemplate(metadata=about("The values of its parameters, by their names."))
    database = String(metadata=about("Its name in services.yaml; not needed where there is one."))
    mode = Choice(
        tuple(_MODES),
        load_default="rows",
        metadata=about("What it gives: `rows`, `one` row, one `value`; `execute` for none."),
    )
    max_rows = Integer(
        1, 1_000_000, metadata=about("More rows are an error; 10,000 where it does not say.")
    )

    @validates_schema
    def _name_the_same(self, data: dict[str, Any], **_: Any) -> None:
        """The text names the parameters that ``params`` has, and no others."""
        names, given = data["statement"].names, data.get("params", _NO_PARAMS).names
        spare = [name for name in given if all(each.name != name for each in names)]
        missing = {each.name: each for each in reversed(names) if each.name not in given}
        found: dict[str, Any] = {
            "sql": [_missing(place, spare) for place in reversed(missing.values())],
            "params": {name: [_spare(name)] for name in spare if not did_you_mean(name, missing)},
        }
        if any(found.values()):
            raise ValidationError({key: wrong for key, wrong in found.items() if wrong})


def _missing(place: Name, spare: Sequence[str]) -> Issue:
    name, near = place.name, did_you_mean(place.name, spare)
    hint = f"write `:{near}`, or add `{name}` to `params`" if near else None
    message = f"the parameter `:{name}` has no value"
    hint = hint or f"add `params: {{{name}: …}}`"
    return Issue("missing-param", message, place.offset, len(name) + 1, hint)


def _spare(name: str) -> Issue:
    hint = f"delete it, or write `:{name}` where the value belongs, not in quotes"
    return issue("unknown-param", f"the statement names no parameter `:{name}`", hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql(Verb):
    statement: Statement
    params: Assignments = _NO_PARAMS
    database: str | None = None
    mode: str = "rows"
    max_rows: int | None = None

    verb: ClassVar[str] = "sql"
    schema: ClassVar[type[StepSchema]] = SqlSchema
    has_effect: ClassVar[bool] = True

    @property
    def result_fields(self) -> tuple[str, ...]:  # type: ignore[override]
        """By the mode."""
        return _MODES[self.mode][1]

    @property
    def summary(self) -> str:
        return one_line(" ".join(self.statement.text.split()), _SHOWN)

    @property
    def unsafe_repetition(self) -> str | None:
        """None: the failures that ``retry`` repeats have changed nothing, see ``DatabaseError``."""
        return None

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return [(("params",), self.params.values)]

    def uses(self) -> Iterable[Use]:
        return database_used(self.database)

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        if self.mode != "execute" and not self.statement.gives_rows:
            message = f"`{self.statement.words[0]}` gives no rows"
            yield ("sql",), issue("bad-mode", message, "add `mode: execute` to the step")
        if self.max_rows is not None and self.mode != "rows":
            message = f"`max_rows` bounds `mode: rows`, and this is `mode: {self.mode}`"
            yield ("max_rows",), issue("useless-key", message, "delete it")

    def detail(self, result: Any) -> str:
        count = result.get("count")
        return self.summary if count is None else f"{self.summary} → {count}"

    def build(self, builder: Builder) -> Action:
        statement, database, values = self.statement, self.database, self.params.values.evaluate
        most = {"rows": self.max_rows or DEFAULT_MAX_ROWS, "execute": 0}.get(self.mode, 1)
        shape = partial(_MODES[self.mode][0], most)
        # The shape of a result may be wrong, and then the change that gave it must not stay.
        undoable = self.mode != "execute" and not statement.only_reads

        def carry_out(run: Run) -> Any:
            params = values(run.scope)
            for name, value in params.items():
                _check_value(name, value)
            query = Query(statement, params, most)
            with step_errors(run, params):
                if run.transaction is not None:
                    return shape(run.transaction.run(query))
                options = TransactionOptions(seconds_left(run), undoable)
                with run.dependencies.databases.session(database, options) as session:
                    return shape(session.run(query))

        return carry_out


def _check_value(name: str, value: Any) -> None:
    """A parameter is a scalar, or a list of scalars, which becomes as many parameters."""
    items = _items(value)
    if any(isinstance(item, dict | list) for item in items):
        wanted = "a parameter is text, a number, true, false, null, or a list of these"
        hint = f"for a JSON column give `to_json(…)`; this is {describe(value)}"
        raise StepError("request", f"`:{name}`: {wanted}; {hint}")
    if not items:
        message = f"`:{name}` is an empty list, which SQL has no form for"
        raise StepError("request", f"{message}: guard the step with `when: len(…) > 0`")


def database_used(name: str | None) -> Iterator[Use]:
    """What a step with a key ``database`` uses of ``services.yaml``."""
    if name is not None:
        yield Use("databases", name, ("database",))


def seconds_left(run: Run) -> Callable[[], float]:
    """Tells the seconds before the deadline of the step that is running."""
    return lambda: run.deadline - run.dependencies.monotonic()


@contextmanager
def step_errors(run: Run, params: Mapping[str, Any]) -> Iterator[None]:
    """Turns the failures of a database into those of a step, and hides the values of parameters.

    Raises:
        StepError: of the same kind.
        DeadlinePassed: the time of the step was over.
    """
    try:
        yield
    except DatabaseError as error:
        message = _without(params, error.message)
        if error.kind == "timeout" and seconds_left(run)() <= EARLY_SECONDS:
            raise DeadlinePassed(message) from None
        raise StepError(error.kind, message) from None


def _without(params: Mapping[str, Any], message: str) -> str:
    """A message without values: databases quote them, and cut off what is long."""
    values = [item for value in params.values() for item in _items(value)]
    texts = [str(value) for value in values if value is not None and not isinstance(value, bool)]

    def hide(quoted: re.Match[str]) -> str:
        part = quoted[1] or quoted[2] or ""
        is_part = len(part) >= MIN_LENGTH and any(part in text for text in texts)
        return quoted[0].replace(part, MASK) if is_part else quoted[0]

    return _QUOTED.sub(hide, masker(texts)(message))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
