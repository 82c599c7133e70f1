"""JSON values: how messages call them, and how they are written into text."""

from __future__ import annotations

import math
from types import NoneType
from typing import Any

from app.expression.limits import MAX_INTEGER, MAX_ITEMS, MAX_TEXT
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault

NUMBERS = frozenset({int, float})
"""``type(value) in NUMBERS`` leaves out ``bool``, which ``isinstance`` does not."""

SMALL = 2**64
"""Whole numbers below this are as cheap as any other value."""

_KINDS = {
    NoneType: "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
_WORDS = {True: "true", False: "false"}


def kind(value: Any) -> str:
    """What messages call the kind of a value."""
    return _KINDS.get(type(value), "an object")


def written(value: Any) -> str:
    """A scalar as it stands inside a text: ``true``, ``1.0``, ``abc``.

    Raises:
        Fault: null, a list or an object.
    """
    if type(value) is str:
        return value
    if type(value) in NUMBERS:
        return repr(value)
    if type(value) is bool:
        return _WORDS[value]
    advice = 'write `default(…, "")`' if value is None else "write `to_json(…)`"
    raise Fault(f"{kind(value)} cannot be written into a text; {advice}")


def pay_for_digits(evaluation: Evaluation, *values: Any) -> None:
    """Pay for work with whole numbers that are longer than a machine word."""
    for number in values:
        if type(number) is int and not -SMALL < number < SMALL:
            evaluation.spend(number.bit_length() // 16)


def checked_number(evaluation: Evaluation, number: Any) -> Any:
    """A computed number, if it is one that JSON can hold.

    Raises:
        Fault: it is infinite, or has too many digits.
    """
    if type(number) is int:
        if not -SMALL < number < SMALL:
            pay_for_digits(evaluation, number)
            if not -MAX_INTEGER <= number <= MAX_INTEGER:
                raise Fault("the result is too large a number")
    elif not math.isfinite(number):
        raise Fault("the result is too large a number")
    return number


def check_text_size(characters: int) -> None:
    """Hold :data:`MAX_TEXT` for a text that is about to be made."""
    if characters > MAX_TEXT:
        raise Fault(f"the text would be longer than {MAX_TEXT:,} characters")


def check_list_size(items: int) -> None:
    """Hold :data:`MAX_ITEMS` for a list that is about to be made."""
    if items > MAX_ITEMS:
        raise Fault(f"the list would be longer than {MAX_ITEMS:,} items")
