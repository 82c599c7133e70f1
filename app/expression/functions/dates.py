"""Functions on dates and times, which are ISO 8601 text or seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from app.expression.errors import Fault
from app.expression.functions.function import function, text_argument
from app.expression.limits import Evaluation
from app.expression.values import NUMBERS, kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_STANDARD = frozenset("mdHIMSfpjyaAbBz")
"""Directives that are the same on every platform; ``%Y %s %%`` are written here."""
_LONGEST_PATTERN = 200
_LONGEST_DATE = 100


@function("now()")
def now(evaluation: Evaluation) -> str:
    """The time as ISO 8601 text, in UTC."""
    evaluation.spend(30)
    return evaluation.scope.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@function("date(value)")
def date(evaluation: Evaluation, value: Any) -> str:
    """The day of a date, of a time, or of seconds since 1970 (in UTC)."""
    return _moment(evaluation, "date", value).date().isoformat()


@function("format_date(value, pattern)")
def format_date(evaluation: Evaluation, value: Any, pattern: Any) -> str:
    """A date or time by a pattern; see below."""
    moment = _moment(evaluation, "format_date", value)
    pattern = text_argument(evaluation, "format_date", pattern)
    if len(pattern) > _LONGEST_PATTERN:
        raise Fault(f"the pattern of format_date has at most {_LONGEST_PATTERN} characters")
    evaluation.spend(20 * pattern.count("%"))
    return _DIRECTIVE.sub(lambda match: _written(moment, match[1]), pattern)


def _moment(evaluation: Evaluation, function: str, value: Any) -> datetime:
    evaluation.spend(20)
    try:
        if type(value) in NUMBERS:
            return _EPOCH + timedelta(seconds=value)
        if type(value) is str:
            return datetime.fromisoformat(value[:_LONGEST_DATE])
    except (ValueError, OverflowError):
        raise Fault(f"{function} needs a date like 2026-11-23 or 2026-11-23T20:07:40Z") from None
    raise Fault(f"{function} needs date text or seconds, not {kind(value)}")


def _written(moment: datetime, directive: str) -> str:
    if directive == "%":
        return "%"
    if directive == "Y":
        return f"{moment.year:04}"
    if directive == "s":
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return str(int(aware.timestamp()))
    if directive not in _STANDARD or not directive:
        known = " ".join(f"%{letter}" for letter in ("Y", *sorted(_STANDARD), "s", "%"))
        raise Fault(f"format_date knows only {known}")
    return moment.strftime(f"%{directive}")
