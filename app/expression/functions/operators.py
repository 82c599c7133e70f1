"""The operators on JSON values. True and false are no numbers here.

Equality is JSON's: ``1 == 1.0``, but ``true`` equals no number. Order exists between two numbers
and between two texts. What a comparison may cost is paid before it is made.
"""

from __future__ import annotations

from typing import Any

from app.expression.errors import Fault
from app.expression.functions.function import number_argument
from app.expression.limits import MAX_INTEGER, Evaluation
from app.expression.values import NUMBERS, checked_number, kind, pay_for_digits

_MAX_BITS = MAX_INTEGER.bit_length()


def add(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left + right``: two numbers, two texts, or two lists."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return checked_number(evaluation, left + right)
    if type(left) is str and type(right) is str:
        evaluation.new_text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        evaluation.new_list(len(left) + len(right))
        return left + right
    advice = ""
    if str in (type(left), type(right)):
        side = "right" if type(left) is str else "left"
        advice = f"; write `str(…)` around the {side} side"
    raise Fault(f"{kind(left)} and {kind(right)} cannot be added{advice}")


def subtract(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left - right`` of numbers."""
    _check_numbers("-", left, right)
    return checked_number(evaluation, left - right)


def multiply(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left * right`` of numbers; a text or a list times a whole number repeats it."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return checked_number(evaluation, left * right)
    if type(right) is int and isinstance(left, (str, list)):
        return _repeated(evaluation, left, right)
    if type(left) is int and isinstance(right, (str, list)):
        return _repeated(evaluation, right, left)
    _check_numbers("*", left, right)
    return None


def _repeated(evaluation: Evaluation, what: Any, times: int) -> Any:
    size = len(what) * max(times, 0)
    if isinstance(what, str):
        evaluation.new_text(size)
    else:
        evaluation.new_list(size)
    return what * (times if size else 0)


def divide(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left / right`` of numbers; ``4 / 2`` is ``2.0``."""
    _check_division("/", evaluation, left, right)
    return checked_number(evaluation, left / right)


def floor_divide(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left // right`` of numbers, rounded down."""
    _check_division("//", evaluation, left, right)
    return checked_number(evaluation, left // right)


def modulo(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left % right`` of numbers; the result has the sign of ``right``."""
    _check_division("%", evaluation, left, right)
    return checked_number(evaluation, left % right)


def power(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left ** right`` of numbers, if the result is a number that JSON can hold."""
    _check_numbers("**", left, right)
    pay_for_digits(evaluation, left, right)
    if left == 0 and right < 0:
        raise Fault("division by zero")
    if left < 0 and right != right // 1:
        raise Fault("a negative number has no such power")
    if type(left) is int and type(right) is int and right > 0:
        # (bits - 1) · right is the least length of the result; ±1 has one bit and never grows.
        if (left.bit_length() - 1) * right > _MAX_BITS:
            raise Fault("the result is too large a number")
        evaluation.spend(left.bit_length() * min(right, _MAX_BITS) // 16)
    return checked_number(evaluation, left**right)


def negative(value: Any) -> Any:
    """``-value`` of a number."""
    return -number_argument("`-`", value)


def positive(value: Any) -> Any:
    """``+value`` of a number."""
    return number_argument("`+`", value)


def _check_division(sign: str, evaluation: Evaluation, left: Any, right: Any) -> None:
    _check_numbers(sign, left, right)
    pay_for_digits(evaluation, left, right)
    if right == 0:
        raise Fault("division by zero")


def _check_numbers(sign: str, left: Any, right: Any) -> None:
    for value in (left, right):
        if type(value) not in NUMBERS:
            raise Fault(f"`{sign}` needs numbers, not {kind(value)}")


def equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left == right``; values of different kinds are not equal."""
    if type(left) is not type(right):
        return type(left) in NUMBERS and type(right) in NUMBERS and bool(left == right)
    if type(left) not in (str, list, dict):
        return bool(left == right)
    if len(left) != len(right):
        return False
    if type(left) is str:
        evaluation.spend_text(len(left))
        return bool(left == right)
    if type(left) is list:
        return _equal_lists(evaluation, left, right)
    return _equal_objects(evaluation, left, right)


def not_equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left != right``."""
    return not equal(evaluation, left, right)


def _equal_lists(evaluation: Evaluation, left: list[Any], right: list[Any]) -> bool:
    for one, other in zip(left, right, strict=True):
        evaluation.spend(4)
        if not equal(evaluation, one, other):
            return False
    return True


def _equal_objects(evaluation: Evaluation, left: dict[str, Any], right: dict[str, Any]) -> bool:
    for key, value in left.items():
        evaluation.spend(5)
        if key not in right or not equal(evaluation, value, right[key]):
            return False
    return True


def less(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left < right``."""
    check_order(evaluation, left, right)
    return bool(left < right)


def less_equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left <= right``."""
    check_order(evaluation, left, right)
    return bool(left <= right)


def greater(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left > right``."""
    check_order(evaluation, left, right)
    return bool(left > right)


def greater_equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left >= right``."""
    check_order(evaluation, left, right)
    return bool(left >= right)


def check_order(evaluation: Evaluation, left: Any, right: Any) -> None:
    """Pay for ordering two values.

    Raises:
        Fault: they are neither two numbers nor two texts.
    """
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return
    if type(left) is not str or type(right) is not str:
        raise Fault(f"{kind(left)} and {kind(right)} have no order")
    evaluation.spend_text(min(len(left), len(right)))


def contains(evaluation: Evaluation, item: Any, container: Any) -> bool:
    """``item in container``: part of a text, item of a list, field name of an object."""
    if isinstance(container, list):
        return _list_contains(evaluation, item, container)
    if type(item) is not str:
        raise Fault(f"`in` cannot look for {kind(item)} in {kind(container)}")
    if type(container) is str:
        evaluation.spend_text(len(container))
    elif container is None or type(container) in NUMBERS or type(container) is bool:
        raise Fault(f"`in` needs a list, a text or an object on its right, not {kind(container)}")
    return item in container


def lacks(evaluation: Evaluation, item: Any, container: Any) -> bool:
    """``item not in container``."""
    return not contains(evaluation, item, container)


def _list_contains(evaluation: Evaluation, item: Any, items: list[Any]) -> bool:
    for one in items:
        evaluation.spend(3)
        if equal(evaluation, item, one):
            return True
    return False
