"""Functions on text and JSON, among them those for signatures, addresses and ids."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from app import strict_json
from app.expression.errors import Fault
from app.expression.functions.function import function, list_argument, text_argument
from app.expression.limits import MAX_ITEMS, Evaluation, check_text
from app.expression.values import pay_for_digits, size, written


@function("lower(text)")
def lower(evaluation: Evaluation, text: Any) -> str:
    """Small letters."""
    return _recased(evaluation, text_argument(evaluation, "lower", text), str.lower)


@function("upper(text)")
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


@function("trim(text)")
def trim(evaluation: Evaluation, text: Any) -> str:
    """Without white space at both ends."""
    return text_argument(evaluation, "trim", text).strip()


@function("split(text, separator)")
def split(evaluation: Evaluation, text: Any, separator: Any = None) -> list[str]:
    """The parts of a text; without a separator, the words."""
    whole = text_argument(evaluation, "split", text)
    if separator is not None and not text_argument(evaluation, "split", separator):
        raise Fault("split needs a separator that is not empty")
    pieces = whole.split(separator, MAX_ITEMS)
    evaluation.new_list(len(pieces))
    return pieces


@function("join(list, separator)")
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


@function("replace(text, old, new)")
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


@function("startswith(text, start)")
def startswith(evaluation: Evaluation, text: Any, start: Any) -> bool:
    """Whether the text begins so."""
    whole = text_argument(evaluation, "startswith", text)
    return whole.startswith(text_argument(evaluation, "startswith", start))


@function("endswith(text, end)")
def endswith(evaluation: Evaluation, text: Any, end: Any) -> bool:
    """Whether the text ends so."""
    whole = text_argument(evaluation, "endswith", text)
    return whole.endswith(text_argument(evaluation, "endswith", end))


@function("str(value)")
def to_text(evaluation: Evaluation, value: Any) -> str:
    """Any value as text: text as it is, everything else as JSON."""
    if value is None or isinstance(value, (list, dict)):
        return _json(evaluation, value)
    pay_for_digits(evaluation, value)
    return written(value)


@function("parse_json(text)")
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


@function("to_json(value)")
def to_json(evaluation: Evaluation, value: Any) -> str:
    """Any value as compact JSON text."""
    return _json(evaluation, value)


def _json(evaluation: Evaluation, value: Any) -> str:
    check_text(size(evaluation, value))
    evaluation.spend(20)
    text = strict_json.dumps(value)
    check_text(len(text))
    return text


@function("base64(text)")
def to_base64(evaluation: Evaluation, text: Any) -> str:
    """The UTF-8 bytes of a text in Base64."""
    encoded = b64encode(_bytes(evaluation, "base64", text)).decode("ascii")
    check_text(len(encoded))
    return encoded


@function("sha256(text)")
def sha256(evaluation: Evaluation, text: Any) -> str:
    """SHA-256 of the UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(_bytes(evaluation, "sha256", text)).hexdigest()


@function("hmac_sha256(key, text)")
def hmac_sha256(evaluation: Evaluation, key: Any, text: Any) -> str:
    """The text signed with the key, in hexadecimal."""
    secret = _bytes(evaluation, "hmac_sha256", key)
    return hmac.digest(secret, _bytes(evaluation, "hmac_sha256", text), "sha256").hex()


@function("uuid()")
def uuid(evaluation: Evaluation) -> str:
    """A new random id."""
    evaluation.spend(20)
    return evaluation.scope.uuid()


@function("url_encode(value)")
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
