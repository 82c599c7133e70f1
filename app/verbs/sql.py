"""``sql: text`` carries out one statement on a named database.

The result is ``{rows, count}``; with ``mode: one`` it is ``{row}``, with ``mode: value`` it is
``{value}``, ``null`` where there is no row; with ``mode: execute`` it is ``{count}``, the number of
rows that were changed. Values go to the database as parameters, and never into the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validates_schema

from app.database.contract import Query, QueryResult, TransactionOptions
from app.expression import Compiled, Issue, compile_template
from app.language.blocks import StepSchema
from app.language.environment import Environment
from app.language.fields import (
    Assignments,
    AssignmentsTemplate,
    Choice,
    Integer,
    JsonSchema,
    String,
    about,
    describe,
    issue,
    validation_error,
)
from app.language.flow import Flow
from app.language.sql import Name, SqlTextError, Statement, parse
from app.language.step import Path, Use
from app.runtime.masking import one_line
from app.runtime.scope import Action, Run
from app.runtime.signals import StepError
from app.runtime.verb import Builder, Verb
from app.verbs import sql_answer
from app.verbs.sql_answer import step_errors
from app.yaml.diagnostics import did_you_mean

DEFAULT_MAX_ROWS = 10_000
MODES = ("rows", "one", "value", "execute")
_FIELDS = {"rows": ("rows", "count"), "one": ("row",), "value": ("value",), "execute": ("count",)}
_SHOWN = 200
_NO_PARAMS = Assignments((), compile_template({}))


class SqlText(fields.Field[Statement]):
    """One statement, with ``:name`` where a parameter stands."""

    stand_in = parse("select 1")

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Statement:
        if not isinstance(value, str):
            hint = "write `sql: select …`, or `sql: |` and the statement below it"
            raise validation_error(
                "wrong-type", f"expected a statement, got {describe(value)}", hint
            )
        if "${" in value:
            raise ValidationError([_template_in(value)])
        try:
            return parse(value)
        except SqlTextError as error:
            found = Issue(error.code, error.message, error.offset, error.length, error.hint)
            raise ValidationError([found]) from None


def _template_in(text: str) -> Issue:
    start = text.index("${")
    end = text.find("}", start) + 1 or len(text)
    written = " ".join(text[start:end].split())
    message = "no `${…}` in a statement: a value could become a part of it"
    hint = f"write `:name` here, and `params: {{name: '{written}'}}` below"
    return Issue("sql-template", message, start, end - start, hint)


class SqlSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "parameters": "write `params` instead",
        "args": "write `params` instead",
        "values": "write `params` instead",
        "with": "write `params` instead",
        "db": "write `database` instead",
        "limit": "write `max_rows` instead",
    }

    statement = SqlText(
        data_key="sql", required=True, metadata=about("One statement; `:name` is a parameter.")
    )
    params = AssignmentsTemplate(metadata=about("The values of its parameters, by their names."))
    database = String(metadata=about("Its name in services.yaml; not needed where there is one."))
    mode = Choice(
        MODES,
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
        return _FIELDS[self.mode]

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
        if self.database is not None:
            yield Use("databases", self.database, ("database",))

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
        query, shape, database = self._query(), self._shape(), self.database
        # The shape of a result may be wrong, and then the change that gave it must not stay.
        undoable = self.mode != "execute" and not self.statement.only_reads

        def carry_out(run: Run) -> Any:
            asked = query(run)
            with step_errors(run, asked.values):
                if run.transaction is not None:
                    return shape(run.transaction.run(asked))
                terms = TransactionOptions(
                    lambda: run.deadline - run.dependencies.monotonic(), undoable
                )
                with run.dependencies.databases.session(database, terms) as session:
                    return shape(session.run(asked))

        return carry_out

    def _query(self) -> Callable[[Run], Query]:
        statement, values = self.statement, self.params.values.evaluate
        caps = {"rows": self.max_rows or DEFAULT_MAX_ROWS, "execute": 0}
        max_rows = caps.get(self.mode, 1)

        def query(run: Run) -> Query:
            found = values(run.scope)
            for name, value in found.items():
                _check_value(name, value)
            return Query(statement, found, max_rows)

        return query

    def _shape(self) -> Callable[[QueryResult], dict[str, Any]]:
        if self.mode == "rows":
            return partial(sql_answer.rows, self.max_rows or DEFAULT_MAX_ROWS)
        if self.mode == "execute":
            return sql_answer.count
        return sql_answer.one if self.mode == "one" else sql_answer.value


def _check_value(name: str, value: Any) -> None:
    """A parameter is a scalar, or a list of scalars that stands for as many of them."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, dict | list) for item in items):
        wanted = "a parameter is text, a number, true, false, null, or a list of these"
        hint = f"for a JSON column give `to_json(…)`; this is {describe(value)}"
        raise StepError("request", f"`:{name}`: {wanted}; {hint}")
    if not items:
        message = f"`:{name}` is an empty list, which SQL has no form for"
        raise StepError("request", f"{message}: guard the step with `when: len(…) > 0`")
