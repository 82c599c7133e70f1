"""Strict JSON text: what is read can always be written back, as UTF-8, by any JSON reader.

Python's decoder accepts more than RFC 8259 does: ``NaN``, numbers that become infinite, duplicate
keys, lone surrogates (``"\\ud800"``, which no UTF-8 text can hold) and nesting until the stack
ends. Each of these crashes something later, so each is refused here, with a sentence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 100
"""Nesting of lists and objects that is accepted; people nest about five deep."""

MAX_WRITTEN_DEPTH = 2 * MAX_DEPTH
"""Nesting that is written: what was read, and what is put around it."""

MAX_DIGITS = 1000
"""Digits of one whole number that are accepted (Python itself refuses beyond 4,300)."""


_WHITESPACE = " \t\n\r"
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)')


class JsonError(ValueError):
    """The text is not JSON we accept; the message says why, and where if that is known."""


def loads(text: str | bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Parse a JSON text.

    Raises:
        JsonError: not UTF-8, not JSON, duplicate keys, a number that is not finite or too long,
            a lone surrogate, or nested deeper than ``max_depth``.
    """
    if isinstance(text, bytes):
        try:
            # Not "utf-8-sig", which is written in Python and takes as long as the parsing.
            text = text.decode().removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise JsonError("the text is not UTF-8") from None
    try:
        value = _decode(text.strip(_WHITESPACE))
    except json.JSONDecodeError as error:
        # From Python 3.12 on, the stack may hold what leads to the mistake, deep as it is.
        if _is_open(error.doc[: error.pos], max_depth):
            raise JsonError(f"nested deeper than {max_depth}") from None
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonError(f"{error.msg[:1].lower()}{error.msg[1:]} at {where}") from None
    except RecursionError:
        raise JsonError(f"nested deeper than {max_depth}") from None
    _check_depth(value, text, max_depth)
    if "\\u" in text and not _is_encodable(value):
        raise JsonError("a \\ud800–\\udfff escape stands alone, which no text can hold")
    return value


def dumps(value: Any) -> str:
    """Write a value as compact JSON: UTF-8 characters as they are, no spaces.

    Raises:
        JsonError: the value holds something JSON cannot (``NaN``, a set, a cycle …), or nests
            deeper than ``MAX_WRITTEN_DEPTH``.
    """
    try:
        text = _ENCODER.encode(value)
    except RecursionError:
        raise JsonError(f"nested deeper than {MAX_WRITTEN_DEPTH}") from None
    except (TypeError, ValueError) as error:
        raise JsonError(f"not a JSON value: {error}") from None
    _check_depth(value, text, MAX_WRITTEN_DEPTH)
    return text


def _decode(text: str) -> Any:
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _is_open(text: str, levels: int) -> bool:
    """Whether more lists and objects than these have begun and not ended."""
    if text.count("[") + text.count("{") <= levels:
        return False
    bare = _STRING.sub("", text)
    return sum(map(bare.count, "[{")) - sum(map(bare.count, "]}")) > levels


def _check_depth(value: Any, text: str, limit: int) -> None:
    if len(text) <= 2 * limit:
        return  # Each level has a beginning and an end.
    if text.count("[") + text.count("{") > limit and depth(value, limit) > limit:
        raise JsonError(f"nested deeper than {limit}")


def depth(value: Any, limit: int) -> int:
    """How deep lists and objects nest (a scalar is 0, ``[]`` is 1); stops just past ``limit``."""
    level, found = [value], 0
    while found <= limit and (level := [node for node in level if isinstance(node, dict | list)]):
        found += 1
        level = [child for node in level for child in _children(node)]
    return found


def _children(node: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def _is_encodable(value: Any) -> bool:
    try:
        _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not a JSON number")


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise JsonError(f"a number of {len(digits)} digits is too long")
    return int(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise JsonError(f"the number {digits[:40]} is too large")
    return number


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonError(f"the key {key[:80]!r} stands twice")
            seen.add(key)
    return result


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_int=_parse_int,
    parse_float=_parse_float,
    object_pairs_hook=_unique_keys,
)
_ENCODER = json.JSONEncoder(
    ensure_ascii=False,
    allow_nan=False,
    separators=(",", ":"),
    check_circular=False,  # A cycle ends at the recursion limit instead.
)
