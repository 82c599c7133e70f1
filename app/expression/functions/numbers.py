"""Functions on numbers."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from app.expression.errors import Fault
from app.expression.functions.function import function, list_argument, number_argument
from app.expression.functions.operators import check_order
from app.expression.limits import Evaluation
from app.expression.values import checked_number, pay_for_digits
from app.strict_json import MAX_DIGITS

_MOST_PLACES = 15
_ROUNDING = Context(prec=MAX_DIGITS + 400, rounding=ROUND_HALF_UP)
"""Digits enough for any number we have, down to the 324th place of the smallest float."""


@function("round(number, places)", "round(2.675, 2)", 2.68)
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


@function("abs(number)", "abs(-5)", 5)
def absolute(_: Evaluation, number: Any) -> Any:
    """Without its sign."""
    return abs(number_argument("abs", number))


@function("sum(list)", "sum([1, 2, 3.5])", 6.5)
def add_up(evaluation: Evaluation, numbers: Any) -> Any:
    """All numbers added up."""
    total: Any = 0
    for number in list_argument(evaluation, "sum", numbers):
        total += number_argument("sum", number)
    return checked_number(evaluation, total)


@function("min(list) or min(a, b, …)", "min([3, 1, 2])", 1)
def smallest(evaluation: Evaluation, value: Any, *more: Any) -> Any:
    """The least of numbers or of texts."""
    return min(_candidates(evaluation, "min", value, more))


@function("max(list) or max(a, b, …)", "max(3, 1, 2)", 3)
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
