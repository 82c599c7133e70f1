"""The operators ``+ - * / // % **`` on JSON values. True and false are no numbers here."""

from __future__ import annotations

from typing import Any

from app.expression.limits import MAX_INTEGER
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault
from app.expression.runtime.values import (
    NUMBERS,
    check_list_size,
    check_text_size,
    checked_number,
    kind,
    pay_for_digits,
)

_MAX_BITS = MAX_INTEGER.bit_length()


def add(evaluation: Evaluation, left: Any, right: Any) -> Any:
    """``left + right``: two numbers, two texts, or two lists."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return checked_number(evaluation, left + right)
    if type(left) is str and type(right) is str:
        check_text_size(len(left) + len(right))
        evaluation.spend_text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        check_list_size(len(left) + len(right))
        evaluation.spend(len(left) + len(right))
        return left + right
    raise Fault(_not_addable(left, right))


def _not_addable(left: Any, right: Any) -> str:
    sentence = f"{kind(left)} and {kind(right)} cannot be added"
    if type(left) is str:
        return f"{sentence}; write `str(…)` around the right side"
    if type(right) is str:
        return f"{sentence}; write `str(…)` around the left side"
    return sentence


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
        check_text_size(size)
        evaluation.spend_text(size)
    else:
        check_list_size(size)
        evaluation.spend(size)
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
    """``left ** right`` of numbers, as far as the result is a number JSON can hold."""
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
    if type(value) not in NUMBERS:
        raise Fault(f"`-` needs a number, not {kind(value)}")
    return -value


def positive(value: Any) -> Any:
    """``+value`` of a number."""
    if type(value) not in NUMBERS:
        raise Fault(f"`+` needs a number, not {kind(value)}")
    return value


def _check_division(sign: str, evaluation: Evaluation, left: Any, right: Any) -> None:
    _check_numbers(sign, left, right)
    pay_for_digits(evaluation, left, right)
    if right == 0:
        raise Fault("division by zero")


def _check_numbers(sign: str, left: Any, right: Any) -> None:
    for value in (left, right):
        if type(value) not in NUMBERS:
            raise Fault(f"`{sign}` needs numbers, not {kind(value)}")
