"""Functions that make one kind of value of another."""

from __future__ import annotations

import re
from typing import Any

from app import strict_json
from app.expression.function import Function, text_argument
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault
from app.expression.runtime.sizes import size
from app.expression.runtime.values import (
    NUMBERS,
    check_text_size,
    checked_number,
    kind,
    pay_for_digits,
    written,
)

_WHOLE = re.compile(rf"[+-]?[0-9]{{1,{strict_json.MAX_DIGITS}}}")
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?"
)


def to_text(evaluation: Evaluation, value: Any) -> str:
    """Write any value: text as it is, everything else as JSON."""
    if value is None or isinstance(value, (list, dict)):
        return to_json(evaluation, value)
    pay_for_digits(evaluation, value)
    return written(value)


def to_integer(evaluation: Evaluation, value: Any) -> int:
    """Cut off a number's fraction, or read the whole number that a text spells."""
    if type(value) in NUMBERS:
        pay_for_digits(evaluation, value)
        return int(value)
    digits = _spelled(evaluation, "int", value)
    if not _WHOLE.fullmatch(digits):
        raise Fault("int needs a text that spells a whole number")
    evaluation.spend(len(digits))
    return int(digits)


def to_float(evaluation: Evaluation, value: Any) -> float:
    """Make a number one with a fraction, perhaps ``.0``, or read the one that a text spells."""
    if type(value) in NUMBERS:
        return float(value)
    digits = _spelled(evaluation, "float", value)
    if not _DECIMAL.fullmatch(digits):
        raise Fault("float needs a text that spells a number")
    evaluation.spend(len(digits))
    return float(checked_number(evaluation, float(digits)))


def _spelled(evaluation: Evaluation, function: str, value: Any) -> str:
    if type(value) is not str:
        raise Fault(f"{function} needs a number or text, not {kind(value)}")
    return text_argument(evaluation, function, value).strip()


def parse_json(evaluation: Evaluation, text: Any) -> Any:
    """Read a JSON text, as strictly as a request body."""
    text = text_argument(evaluation, "parse_json", text)
    values = text.count("[") + text.count("{") + text.count(",")
    evaluation.spend(10 + len(text) // 8 + 4 * values)
    try:
        return strict_json.loads(text)
    except strict_json.JsonError:
        # The reason may quote the text, and the text may hold a secret.
        raise Fault("parse_json needs a text that is strict JSON") from None


def to_json(evaluation: Evaluation, value: Any) -> str:
    """Write a value as compact JSON."""
    check_text_size(size(evaluation, value))
    evaluation.spend(20)
    text = strict_json.dumps(value)
    check_text_size(len(text))
    return text


CONVERSION_FUNCTIONS = (
    Function(
        "str",
        to_text,
        "str(value)",
        "Any value as text: text as it is, everything else as JSON.",
        "str(12.50)",
        "12.5",
    ),
    Function(
        "int",
        to_integer,
        "int(value)",
        "A whole number: of a number without its fraction, or of the text that spells it.",
        'int("42")',
        42,
    ),
    Function(
        "float",
        to_float,
        "float(value)",
        "A number with a fraction, of a number or of the text that spells it.",
        'float("1e3")',
        1000.0,
    ),
    Function(
        "parse_json",
        parse_json,
        "parse_json(text)",
        "The value that a JSON text stands for.",
        """parse_json('{"a": [1, 2]}').a""",
        [1, 2],
    ),
    Function(
        "to_json",
        to_json,
        "to_json(value)",
        "Any value as compact JSON text.",
        'to_json({"a": [1, null]})',
        '{"a":[1,null]}',
    ),
)
