"""Functions that make numbers."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from app.expression.errors import Fault
from app.expression.functions.function import (
    function,
    list_argument,
    number_argument,
    text_argument,
)
from app.expression.functions.operators import check_order
from app.expression.limits import Evaluation
from app.expression.values import NUMBERS, checked_number, kind, pay_for_digits
from app.strict_json import MAX_DIGITS

_WHOLE = re.compile(rf"[+-]?[0-9]{{1,{MAX_DIGITS}}}")
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?"
)
_MOST_PLACES = 15
_ROUNDING = Context(prec=MAX_DIGITS + 400, rounding=ROUND_HALF_UP)
"""Digits enough for any number we have, down to the 324th place of the smallest float."""


@function("int(value)")
def to_integer(evaluation: Evaluation, value: Any) -> int:
    """A whole number: of a number without its fraction, or of the text that spells it."""
    if type(value) in NUMBERS:
        pay_for_digits(evaluation, value)
        return int(value)
    digits = _spelled(evaluation, "int", value)
    if not _WHOLE.fullmatch(digits):
        raise Fault("int needs a text that spells a whole number")
    return int(digits)


@function("float(value)")
def to_float(evaluation: Evaluation, value: Any) -> float:
    """A number with a fraction, of a number or of the text that spells it."""
    if type(value) in NUMBERS:
        return float(value)
    digits = _spelled(evaluation, "float", value)
    if not _DECIMAL.fullmatch(digits):
        raise Fault("float needs a text that spells a number")
    return float(checked_number(evaluation, float(digits)))


def _spelled(evaluation: Evaluation, function: str, value: Any) -> str:
    if type(value) is not str:
        raise Fault(f"{function} needs a number or text, not {kind(value)}")
    digits = text_argument(evaluation, function, value).strip()
    evaluation.spend(len(digits))
    return digits


@function("round(number, places)")
def round_number(evaluation: Evaluation, number: Any, places: Any = None) -> Any:
    """Rounded to places, or to a whole number; halves go away from zero."""
    number_argument("round", number)
    if places is not None and (type(places) is not int or abs(places) > _MOST_PLACES):
        raise Fault(f"round needs a whole number of places from -{_MOST_PLACES} to {_MOST_PLACES}")
    evaluation.spend(20)
    pay_for_digits(evaluation, number)
    # The decimal digits count, not the binary fraction: 2.675 is a half, though stored as less.
    exact = Decimal(repr(number))
    rounded = _ROUNDING.quantize(exact, Decimal((0, (1,), -(places or 0))))
    is_whole = places is None or type(number) is int
    return checked_number(evaluation, int(rounded) if is_whole else float(rounded))


@function("abs(number)")
def absolute(_: Evaluation, number: Any) -> Any:
    """Without its sign."""
    return abs(number_argument("abs", number))


@function("sum(list)")
def add_up(evaluation: Evaluation, numbers: Any) -> Any:
    """All numbers added up."""
    total: Any = 0
    for number in list_argument(evaluation, "sum", numbers):
        total += number_argument("sum", number)
    return checked_number(evaluation, total)


@function("min(list) or min(a, b, …)")
def smallest(evaluation: Evaluation, value: Any, *more: Any) -> Any:
    """The least of numbers or of texts."""
    return min(_candidates(evaluation, "min", value, more))


@function("max(list) or max(a, b, …)")
def largest(evaluation: Evaluation, value: Any, *more: Any) -> Any:
    """The greatest of numbers or of texts."""
    return max(_candidates(evaluation, "max", value, more))


def _candidates(evaluation: Evaluation, function: str, value: Any, more: Any) -> list[Any]:
    items = [value, *more] if more else list_argument(evaluation, function, value)
    if not items:
        raise Fault(f"{function} needs at least one item")
    for item in items:
        evaluation.spend(2)
        check_order(evaluation, items[0], item)
    return items
