"""``application/x-www-form-urlencoded`` text, strictly: query strings and forms.

It follows the URL standard, with UTF-8 only and a bound on the number of fields. It is not
``urllib.parse`` because every request passes here several times and most of them need no decoding.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote_plus, unquote

MAX_FIELDS = 1_000


class FormError(ValueError):
    """The text has too many fields, or is not percent-encoded UTF-8."""


def parse(text: str | bytes) -> list[tuple[str, str]]:
    """Names and values in their order; a name without ``=`` has the value ``""``.

    Raises:
        FormError: more than :data:`MAX_FIELDS`, or not UTF-8.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        if text.count("&") >= MAX_FIELDS:
            raise FormError(f"has more than {MAX_FIELDS} parameters")
        fields = [field.partition("=") for field in text.split("&") if field]
        return [(_decoded(name), _decoded(value)) for name, _, value in fields]
    except UnicodeDecodeError:
        raise FormError("is not percent-encoded UTF-8") from None


def _decoded(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    return unquote(text, errors="strict") if "%" in text else text


def encode(pairs: Iterable[tuple[str, str]]) -> str:
    """The text of these names and values."""
    return "&".join([f"{_encoded(name)}={_encoded(value)}" for name, value in pairs])


def _encoded(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote_plus(text)
