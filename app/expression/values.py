"""JSON values: what messages call them, how they are written into text, how large they are."""

from __future__ import annotations

import math
from collections.abc import Collection
from types import NoneType
from typing import Any

from app.expression.errors import Fault
from app.expression.limits import MAX_INTEGER, Evaluation

NUMBERS = frozenset({int, float})
"""``type(value) in NUMBERS`` leaves out ``bool``, which ``isinstance`` does not."""

_SMALL = 2**64
"""Whole numbers below this are as cheap as any other value."""

_WORK_PER_CONTAINER = 4

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
    """What messages call the kind of a value: ``a number``, ``text``, ``null`` …"""
    return _KINDS.get(type(value), "an object")


def written(value: Any) -> str:
    """A scalar as it is written inside a text: ``true``, ``1.0``, ``abc``.

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
        if type(number) is int and not -_SMALL < number < _SMALL:
            evaluation.spend(number.bit_length() // 16)


def checked_number(evaluation: Evaluation, number: Any) -> Any:
    """A computed number, if it is one that JSON can hold.

    Raises:
        Fault: it is infinite, or has too many digits.
    """
    if type(number) is int:
        if -_SMALL < number < _SMALL:
            return number
        pay_for_digits(evaluation, number)
        is_fine = -MAX_INTEGER <= number <= MAX_INTEGER
    else:
        is_fine = math.isfinite(number)
    if not is_fine:
        raise Fault("the result is too large a number")
    return number


def size(evaluation: Evaluation, value: Any) -> int:
    """The least number of characters of a value's JSON text; what occurs twice counts twice.

    Raises:
        Fault: counting takes more units than are left.
    """
    total = 0
    pending: list[Collection[Any]] = [[value]]
    while pending:
        node = pending.pop()
        evaluation.spend(_WORK_PER_CONTAINER + len(node))
        characters = len(node)
        if isinstance(node, dict):
            characters += sum(map(len, node))
            node = node.values()
        for child in node:
            child_type = type(child)
            if child_type is str:
                characters += len(child)
            elif child_type is int:
                characters += child.bit_length() // 4
            elif child_type is list or child_type is dict:
                pending.append(child)
        evaluation.spend_text(characters)
        total += characters
    return total


def sized(evaluation: Evaluation, value: Any) -> Any:
    """The value, unless repetition has made it too large to count.

    Raises:
        Fault: counting takes more units than are left.
    """
    size(evaluation, value)
    return value
