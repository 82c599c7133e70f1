"""Functions on text, among them those for signatures, addresses and ids."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from app.expression.errors import Fault
from app.expression.functions.function import function, list_argument, text_argument
from app.expression.limits import MAX_ITEMS, Evaluation, check_text
from app.expression.values import pay_for_digits, written


@function("lower(text)", 'lower("ABc")', "abc")
def lower(evaluation: Evaluation, text: Any) -> str:
    """Small letters."""
    return _recased(evaluation, text_argument(evaluation, "lower", text), str.lower)


@function("upper(text)", 'upper("abC")', "ABC")
def upper(evaluation: Evaluation, text: Any) -> str:
    """Capital letters."""
    return _recased(evaluation, text_argument(evaluation, "upper", text), str.upper)


def _recased(evaluation: Evaluation, text: str, change: Callable[[str], str]) -> str:
    """One letter can become up to three, so the result is measured too."""
    if not text.isascii():
        evaluation.spend(len(text) // 2)
    result = change(text)
    check_text(len(result))
    return result


@function("trim(text)", 'trim("  a b ")', "a b")
def trim(evaluation: Evaluation, text: Any) -> str:
    """Without white space at both ends."""
    return text_argument(evaluation, "trim", text).strip()


@function("split(text, separator)", 'split("a,b,c", ",")', ["a", "b", "c"])
def split(evaluation: Evaluation, text: Any, separator: Any = None) -> list[str]:
    """The parts of a text; without a separator, the words."""
    whole = text_argument(evaluation, "split", text)
    if separator is not None and not text_argument(evaluation, "split", separator):
        raise Fault("split needs a separator that is not empty")
    pieces = whole.split(separator, MAX_ITEMS)
    evaluation.new_list(len(pieces))
    return pieces


@function("join(list, separator)", 'join(["a", 1, true], "-")', "a-1-true")
def join(evaluation: Evaluation, items: Any, separator: Any = "") -> str:
    """The items as one text; without a separator, end to end."""
    between = text_argument(evaluation, "join", separator)
    found = list_argument(evaluation, "join", items)
    size = len(between) * max(len(found) - 1, 0)
    texts = []
    for item in found:
        evaluation.spend(3)
        pay_for_digits(evaluation, item)
        texts.append(written(item))
        size += len(texts[-1])
        check_text(size)
    evaluation.spend_text(size)
    return between.join(texts)


@function("replace(text, old, new)", 'replace("1-2-3", "-", "/")', "1/2/3")
def replace(evaluation: Evaluation, text: Any, old: Any, new: Any) -> str:
    """Every `old` becomes `new`."""
    whole = text_argument(evaluation, "replace", text)
    before = text_argument(evaluation, "replace", old)
    after = text_argument(evaluation, "replace", new)
    if not before:
        raise Fault("replace needs a text to look for that is not empty")
    count = whole.count(before)
    check_text(len(whole) + count * (len(after) - len(before)))
    evaluation.spend(count)
    return whole.replace(before, after)


@function("startswith(text, start)", 'startswith("order-17", "order-")', True)
def startswith(evaluation: Evaluation, text: Any, start: Any) -> bool:
    """Whether the text begins so."""
    whole = text_argument(evaluation, "startswith", text)
    return whole.startswith(text_argument(evaluation, "startswith", start))


@function("endswith(text, end)", 'endswith("photo.png", ".png")', True)
def endswith(evaluation: Evaluation, text: Any, end: Any) -> bool:
    """Whether the text ends so."""
    whole = text_argument(evaluation, "endswith", text)
    return whole.endswith(text_argument(evaluation, "endswith", end))


@function("base64(text)", 'base64("user:pass")', "dXNlcjpwYXNz")
def to_base64(evaluation: Evaluation, text: Any) -> str:
    """The UTF-8 bytes of a text in Base64."""
    encoded = b64encode(_bytes(evaluation, "base64", text)).decode("ascii")
    check_text(len(encoded))
    return encoded


@function(
    "sha256(text)",
    'sha256("abc")',
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
)
def sha256(evaluation: Evaluation, text: Any) -> str:
    """SHA-256 of the UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(_bytes(evaluation, "sha256", text)).hexdigest()


@function(
    "hmac_sha256(key, text)",
    'hmac_sha256("key", "message")',
    "6e9ef29b75fffc5b7abae527d58fdadb2fe42e7219011976917343065f58ed4a",
)
def hmac_sha256(evaluation: Evaluation, key: Any, text: Any) -> str:
    """The text signed with the key, in hexadecimal."""
    secret = _bytes(evaluation, "hmac_sha256", key)
    return hmac.digest(secret, _bytes(evaluation, "hmac_sha256", text), "sha256").hex()


@function("uuid()", "uuid()", "1b4e28ba-2fa1-41d2-883f-0016d3cca427")
def uuid(evaluation: Evaluation) -> str:
    """A new random id."""
    evaluation.spend(20)
    return evaluation.scope.uuid()


@function("url_encode(value)", 'url_encode("a b/ü")', "a%20b%2F%C3%BC")
def url_encode(evaluation: Evaluation, value: Any) -> str:
    """Safe in any part of a URL."""
    text = text_argument(evaluation, "url_encode", written(value))
    evaluation.spend(20 + 4 * len(text))
    encoded = quote(text, safe="")
    check_text(len(encoded))
    return encoded


def _bytes(evaluation: Evaluation, function: str, text: Any) -> bytes:
    checked = text_argument(evaluation, function, text)
    evaluation.spend(20 + len(checked) // 8)
    return checked.encode()
