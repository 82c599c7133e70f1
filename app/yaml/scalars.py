"""What a plain (unquoted) scalar means: the scalars of YAML 1.2 that JSON has too, and no others.

``true false null ~``, nothing at all, and decimal numbers. Everything that YAML 1.1 or other
readers turn into something else stays the text it looks like: ``no``, ``on``, ``0123``, ``0x1F``,
``1_000``, ``+86``, ``12:30:45``, ``2024-01-01``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

MAX_DIGITS = 1000
"""Digits of one whole number that are accepted, as in :mod:`app.strict_json`."""

Scalar = str | int | float | bool | None

WORDS: Mapping[str, bool | None] = {
    "": None, "~": None, "null": None, "true": True, "false": False,
}  # fmt: skip
"""The plain scalars that are neither text nor numbers."""

_LOOKALIKES: Mapping[str, str] = {
    "True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
    "Null": "null", "NULL": "null", "None": "null",
}  # fmt: skip
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAY_BEGIN_A_NUMBER = frozenset("-+.0123456789")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar.

    Raises:
        ValueError: it is a number that JSON or this program cannot hold; the message says so.
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in _MAY_BEGIN_A_NUMBER:
        return text
    if _WHOLE.fullmatch(text):
        return _whole(text)
    if _NUMBER.fullmatch(text):
        return _real(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"`{text}` is not a number that JSON has")
    return text


def meant(text: str) -> str | None:
    """The word that a plain scalar of another language (``True``) was probably meant to be."""
    return _LOOKALIKES.get(text)


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too long")
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number `{text[:40]}` is too large")
    return number
