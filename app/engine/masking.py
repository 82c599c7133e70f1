"""Secrets never reach a person's eyes: wherever a run's text leaves the engine, it passes here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from app.json_text import dumps

MASK = "***"
MIN_LENGTH = 3
"""Shorter values are not masked in text: they would be found in every word."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def masker(secrets: Iterable[Any]) -> Callable[[str], str]:
    """A function that replaces every secret in a text, also where it was quoted or encoded."""
    forms: set[str] = set()
    for value in secrets:
        for text in _texts(value):
            forms |= {text, quote(text, safe=""), quote_plus(text), dumps(text)[1:-1]}
    # The longest first: a secret may begin with another one.
    found = sorted((form for form in forms if len(form) >= MIN_LENGTH), key=len, reverse=True)
    if not found:
        return str
    return lambda pattern: re.compile("|".join(map(re.escape, found))).sub(MASK, pattern)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return () if value is None or isinstance(value, bool) else (str(value),)


def mask_value(value: Any, mask: Callable[[str], str]) -> Any:
    """A JSON value with every text in it masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): mask_value(item, mask) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_value(item, mask) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if mask(str(value)) == str(value) else MASK
    return value


def one_line(text: str, limit: int) -> str:
    """Text for a log: cut, with control characters written out so that no line can be forged."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", cut)
