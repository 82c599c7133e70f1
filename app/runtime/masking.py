"""Secrets never reach a person's eyes: wherever a run's text leaves the engine, it passes here."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

from app.config.secrets import Secrets
from app.language.flow import Input, secrets_in
from app.strict_json import dumps

MASK = "***"
MIN_LENGTH = 3
"""Shorter values are not masked in text: they would be found in every word."""

_SAFE = ("", "/", "!$%&'()*+,/:;=?@~")
"""What percent-encoding may leave as it is; the last is what our own transport does."""
_ESCAPE = re.compile("%[0-9A-F]{2}")
_HTML_SAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}
_ESCAPED = re.compile(r"""["&'+<>`\x7f-\uffff]""")
"""What .NET writes as ``\\u00E9`` in JSON."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def masker(secrets: Iterable[Any]) -> Callable[[str], str]:
    """A function that replaces every secret in a text, also where it was quoted or encoded."""
    forms = {form for value in secrets for text in _texts(value) for form in _forms(text)}
    # The longest first: a secret may begin with another one.
    ordered = sorted(forms, key=lambda form: (-len(form.text), form.pattern))
    if not ordered:
        return str

    def mask(text: str) -> str:
        found = [form.pattern for form in ordered if form.text in text]
        return re.sub("|".join(found), MASK, text) if found else text

    return mask


def masker_of(
    inputs: Mapping[str, Any], secret_inputs: Mapping[str, Input], secrets: Secrets
) -> Callable[[str], str]:
    """Masks the secrets of one run. Each has its own, which does its work only when asked to."""
    known: tuple[str, ...] | None = None
    masked: Callable[[str], str] = str

    def mask(text: str) -> str:
        nonlocal known, masked
        if known is not secrets.masked:
            known = secrets.masked
            masked = masker([*secrets_in(secret_inputs, inputs), *known])
        return masked(text)

    return mask


class _Form(NamedTuple):
    """How a secret may look: what to find, and the pattern of all that is to be replaced."""

    text: str
    pattern: str


def _forms(text: str) -> Iterator[_Form]:
    """A secret as it is, and in the encodings that meet on the web."""
    if len(text) < MIN_LENGTH:
        return
    quoted = {quote(text, safe=safe) for safe in _SAFE} | {quote_plus(text)}
    quoted |= {_ESCAPE.sub(lambda escape: escape[0].lower(), form) for form in quoted}
    for form in {text, *_in_json(text), *_in_html(text), *quoted}:
        yield _Form(form, re.escape(form))
    for code in (b64encode, urlsafe_b64encode):
        yield from _base64_forms(text.encode("utf-8", "surrogatepass"), code)


def _in_json(text: str) -> Iterator[str]:
    """JSON has several spellings of a text; these are what the usual libraries write."""
    for form in (dumps(text)[1:-1], json.dumps(text)[1:-1]):
        yield form
        yield form.replace("/", "\\/")  # PHP
        yield form.translate(_HTML_SAFE)  # Go, Ruby
        yield json.dumps(form)[1:-1]  # JSON within JSON
    yield _ESCAPED.sub(lambda char: f"\\u{ord(char[0]):04X}", text)  # .NET


def _in_html(text: str) -> Iterator[str]:
    """Between tags quotes may stay as they are; in attributes they have many names."""
    bare = html.escape(text, quote=False)
    yield bare
    for double, single in (("&quot;", "&#x27;"), ("&quot;", "&#039;"), ("&#34;", "&#39;")):
        yield bare.replace('"', double)
        yield bare.replace('"', double).replace("'", single)


def _base64_forms(data: bytes, code: Callable[[bytes], bytes]) -> Iterator[_Form]:
    """Base64 of the secret, and of any longer text around it.

    Three bytes are four characters, so the characters depend on where among three the secret
    begins. One that it shares with its neighbours is not looked for, but replaced with the others.
    """
    alone = code(data).decode()
    yield _Form(alone, re.escape(alone))
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        core = code(bytes(before) + data).decode()[first:last]
        if len(core) > MIN_LENGTH:
            yield _Form(core, f"[\\w+/-]?{re.escape(core)}[\\w+/-]?={{0,2}}")


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
