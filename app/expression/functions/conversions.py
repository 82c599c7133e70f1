"""Functions that turn one kind of value into another."""

from __future__ import annotations

import re
from typing import Any

from app import strict_json
from app.expression.errors import Fault
from app.expression.functions.function import function, text_argument
from app.expression.limits import Evaluation, check_text
from app.expression.values import NUMBERS, checked_number, kind, pay_for_digits, size, written

_WHOLE = re.compile(rf"[+-]?[0-9]{{1,{strict_json.MAX_DIGITS}}}")
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?"
)


@function("str(value)", "str(12.50)", "12.5")
def to_text(evaluation: Evaluation, value: Any) -> str:
    """Any value as text: text as it is, everything else as JSON."""
    if value is None or isinstance(value, (list, dict)):
        return _json(evaluation, value)
    pay_for_digits(evaluation, value)
    return written(value)


@function("int(value)", 'int("42")', 42)
def to_integer(evaluation: Evaluation, value: Any) -> int:
    """A whole number: of a number without its fraction, or of the text that spells it."""
    if type(value) in NUMBERS:
        pay_for_digits(evaluation, value)
        return int(value)
    digits = _spelled(evaluation, "int", value)
    if not _WHOLE.fullmatch(digits):
        raise Fault("int needs a text that spells a whole number")
    return int(digits)


@function("float(value)", 'float("1e3")', 1000.0)
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


@function("parse_json(text)", """parse_json('{"a": [1, 2]}').a""", [1, 2])
def parse_json(evaluation: Evaluation, text: Any) -> Any:
    """The value that a JSON text stands for."""
    text = text_argument(evaluation, "parse_json", text)
    values = text.count("[") + text.count("{") + text.count(",")
    evaluation.spend(10 + len(text) // 8 + 4 * values)
    try:
        return strict_json.loads(text)
    except strict_json.JsonError:
        # The reason may quote the text, and the text may hold a secret.
        raise Fault("parse_json needs a text that is strict JSON") from None


@function("to_json(value)", 'to_json({"a": [1, null]})', '{"a":[1,null]}')
def to_json(evaluation: Evaluation, value: Any) -> str:
    """Any value as compact JSON text."""
    return _json(evaluation, value)


def _json(evaluation: Evaluation, value: Any) -> str:
    check_text(size(evaluation, value))
    evaluation.spend(20)
    text = strict_json.dumps(value)
    check_text(len(text))
    return text
