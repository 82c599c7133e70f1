"""Functions on numbers."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from app.expression.function import Function, list_argument, number_argument
from app.expression.runtime.comparison import check_order
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault
from app.expression.runtime.values import checked_number, pay_for_digits
from app.strict_json import MAX_DIGITS

_MOST_PLACES = 15
_ROUNDING = Context(prec=MAX_DIGITS + 400, rounding=ROUND_HALF_UP)
"""Digits enough for any number we have, down to the 324th place of the smallest float."""


def round_number(evaluation: Evaluation, number: Any, places: Any = None) -> Any:
    """Round as people do: halves go away from zero, and 2.675 is taken as it is written."""
    number_argument("round", number)
    if places is not None and (type(places) is not int or abs(places) > _MOST_PLACES):
        raise Fault(f"round needs a whole number of places from -{_MOST_PLACES} to {_MOST_PLACES}")
    evaluation.spend(20)
    pay_for_digits(evaluation, number)
    exact = Decimal(repr(number))
    rounded = _ROUNDING.quantize(exact, Decimal((0, (1,), -(places or 0))))
    is_whole = places is None or type(number) is int
    return checked_number(evaluation, int(rounded) if is_whole else float(rounded))


def absolute(_: Evaluation, number: Any) -> Any:
    """Leave out the sign."""
    return abs(number_argument("abs", number))


def add_up(evaluation: Evaluation, numbers: Any) -> Any:
    """Add the numbers of a list; an empty one gives 0."""
    total: Any = 0
    for number in list_argument(evaluation, "sum", numbers):
        total += number_argument("sum", number)
    return checked_number(evaluation, total)


def smallest(evaluation: Evaluation, value: Any, *more: Any) -> Any:
    """Find the least item of a list, or the least of several arguments."""
    return min(_candidates(evaluation, "min", value, more))


def largest(evaluation: Evaluation, value: Any, *more: Any) -> Any:
    """Find the greatest item of a list, or the greatest of several arguments."""
    return max(_candidates(evaluation, "max", value, more))


def _candidates(evaluation: Evaluation, function: str, value: Any, more: Any) -> list[Any]:
    items = [value, *more] if more else list_argument(evaluation, function, value)
    if not items:
        raise Fault(f"{function} needs at least one item")
    for item in items:
        evaluation.spend(2)
        check_order(evaluation, items[0], item)
    return items


NUMBER_FUNCTIONS = (
    Function(
        "round",
        round_number,
        "round(number, places)",
        "Rounded to places, or to a whole number; halves go away from zero.",
        "round(2.675, 2)",
        2.68,
    ),
    Function(
        "min",
        smallest,
        "min(list) or min(a, b, …)",
        "The least of numbers or of texts.",
        "min([3, 1, 2])",
        1,
    ),
    Function(
        "max",
        largest,
        "max(list) or max(a, b, …)",
        "The greatest of numbers or of texts.",
        "max(3, 1, 2)",
        3,
    ),
    Function("sum", add_up, "sum(list)", "All numbers added up.", "sum([1, 2, 3.5])", 6.5),
    Function("abs", absolute, "abs(number)", "Without its sign.", "abs(-5)", 5),
)
