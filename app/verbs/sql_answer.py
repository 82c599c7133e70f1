"""What a statement gave, in the shape that its mode asks for; and what went wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.database.contract import DatabaseError, QueryResult
from app.runtime.masking import MASK, MIN_LENGTH, masker
from app.runtime.scope import Run
from app.runtime.signals import DeadlinePassed, StepError

EARLY_SECONDS = 0.25
"""A database may end a statement a little before its time; that counts as the end of its time."""

_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def rows(max_rows: int, answer: QueryResult) -> dict[str, Any]:
    """``{rows, count}``: each row an object of its columns.

    Raises:
        StepError: there are more, or two columns have one name.
    """
    if len(answer.rows) > max_rows:
        message = f"the statement gave more than {max_rows} rows: write a LIMIT, or set `max_rows`"
        raise StepError("limit", message)
    columns = _columns(answer)
    found = [dict(zip(columns, row, strict=True)) for row in answer.rows]
    return {"rows": found, "count": len(found)}


def one(answer: QueryResult) -> dict[str, Any]:
    """``{row}``: an object, or ``null`` where there is no row."""
    row, columns = _only(answer), _columns(answer)
    return {"row": None if row is None else dict(zip(columns, row, strict=True))}


def value(answer: QueryResult) -> dict[str, Any]:
    """``{value}``: the first column of the row, ``null`` where there is no row."""
    row = _only(answer)
    return {"value": None if row is None else row[0]}


def count(answer: QueryResult) -> dict[str, Any]:
    """``{count}``: how many rows were changed."""
    return {"count": answer.count}


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


@contextmanager
def step_errors(run: Run, values: Mapping[str, Any]) -> Iterator[None]:
    """A database's failures as those of a step, without the values of parameters."""
    try:
        yield
    except DatabaseError as error:
        message = _without(values, error.message)
        is_late = run.deadline - run.dependencies.monotonic() <= EARLY_SECONDS
        if error.kind == "timeout" and is_late:
            raise DeadlinePassed(message) from None
        raise StepError(error.kind, message) from None


def _without(values: Mapping[str, Any], message: str) -> str:
    """A message without values: databases quote them, and cut off what is long."""
    texts = [str(item) for value in values.values() for item in _items(value)]
    masked = masker(texts)(message)

    def hide(quoted: re.Match[str]) -> str:
        part = quoted[1] or quoted[2] or ""
        is_part = len(part) >= MIN_LENGTH and any(part in text for text in texts)
        return quoted[0].replace(part, MASK) if is_part else quoted[0]

    return _QUOTED.sub(hide, masked)


def _items(value: Any) -> list[Any]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None and not isinstance(item, bool)]
