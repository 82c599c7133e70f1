"""Functions that signing, addressing and identifying need."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from app.expression.function import Function, text_argument
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.values import check_text_size, written


def to_base64(evaluation: Evaluation, text: Any) -> str:
    """Encode the UTF-8 bytes of a text."""
    encoded = b64encode(_bytes(evaluation, "base64", text)).decode("ascii")
    check_text_size(len(encoded))
    return encoded


def sha256(evaluation: Evaluation, text: Any) -> str:
    """Hash the UTF-8 bytes of a text."""
    return hashlib.sha256(_bytes(evaluation, "sha256", text)).hexdigest()


def hmac_sha256(evaluation: Evaluation, key: Any, text: Any) -> str:
    """Sign the UTF-8 bytes of a text (RFC 2104)."""
    secret = _bytes(evaluation, "hmac_sha256", key)
    return hmac.digest(secret, _bytes(evaluation, "hmac_sha256", text), "sha256").hex()


def uuid(evaluation: Evaluation) -> str:
    """Make a new id."""
    evaluation.spend(20)
    return evaluation.scope.uuid()


def url_encode(evaluation: Evaluation, value: Any) -> str:
    """Encode a scalar for any part of a URL, ``/`` included (RFC 3986)."""
    text = text_argument(evaluation, "url_encode", written(value))
    evaluation.spend(20 + 4 * len(text))
    encoded = quote(text, safe="")
    check_text_size(len(encoded))
    return encoded


def _bytes(evaluation: Evaluation, function: str, text: Any) -> bytes:
    checked = text_argument(evaluation, function, text)
    evaluation.spend(20 + len(checked) // 8)
    return checked.encode()


ENCODING_FUNCTIONS = (
    Function(
        "base64",
        to_base64,
        "base64(text)",
        "The UTF-8 bytes of a text in Base64.",
        'base64("user:pass")',
        "dXNlcjpwYXNz",
    ),
    Function(
        "sha256",
        sha256,
        "sha256(text)",
        "SHA-256 of the UTF-8 bytes, in hexadecimal.",
        'sha256("abc")',
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    Function(
        "hmac_sha256",
        hmac_sha256,
        "hmac_sha256(key, text)",
        "The text signed with the key, in hexadecimal.",
        'hmac_sha256("key", "message")',
        "6e9ef29b75fffc5b7abae527d58fdadb2fe42e7219011976917343065f58ed4a",
    ),
    Function(
        "uuid",
        uuid,
        "uuid()",
        "A new random id.",
        "uuid()",
        "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
    ),
    Function(
        "url_encode",
        url_encode,
        "url_encode(value)",
        "Safe in any part of a URL.",
        'url_encode("a b/ü")',
        "a%20b%2F%C3%BC",
    ),
)
