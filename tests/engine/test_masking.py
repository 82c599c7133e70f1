"""Secrets are found in what people read, whatever form they took on the way."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runtime.masking import MASK, mask_value, masker

SECRET = "pa/ss wörd+&<7>\"'"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in json": lambda text: json.dumps(text, ensure_ascii=False),
    "in json of ascii": lambda text: json.dumps(text),
    "in json of php": lambda text: json.dumps(text).replace("/", "\\/"),
    "in json of go": lambda text: (
        json.dumps(text, ensure_ascii=False)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    ),
    "in json of .net": lambda _: "pa/ss w\\u00F6rd\\u002B\\u0026\\u003C7\\u003E\\u0022\\u0027",
    "in json within json": lambda text: json.dumps(json.dumps(text)),
    "in a path": lambda text: quote(text, safe=""),
    "in a path with slashes": quote,
    "in a form": quote_plus,
    "in lower case hex": lambda text: quote(text, safe="").lower(),
    "in html": html.escape,
    "in html between tags": lambda text: html.escape(text, quote=False),
    "in html of php": lambda text: html.escape(text).replace("&#x27;", "&#039;"),
    "in html of jinja": lambda text: (
        html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "in basic auth": lambda text: base64.b64encode(f"robot:{text}".encode()).decode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_is_masked(encoding: str) -> None:
    """In every encoding that requests and answers know."""
    written = ENCODINGS[encoding](SECRET)
    shown = masker([SECRET])(f"before {written} after")
    assert MASK in shown
    assert written not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@given(st.text(min_size=6, max_size=40), st.binary(max_size=7), st.binary(max_size=7))
def test_base64_of_a_longer_text_shows_nothing_of_it(
    secret: str, before: bytes, after: bytes
) -> None:
    """Wherever the secret stands in the text: none of its bytes can be read from what is left."""
    data = secret.encode("utf-8", "surrogatepass")
    whole = base64.b64encode(before + data + after).decode()
    shown = masker([secret])(whole)
    head, mask, tail = shown.partition(MASK)
    assert mask
    assert len(head) * 6 // 8 <= len(before)
    assert len(tail.rstrip("=")) * 6 // 8 <= len(after)


def test_short_secrets_are_not_looked_for() -> None:
    """They would be found in every word."""
    assert masker(["ab", "", None, True])("absolutely True") == "absolutely True"


def test_the_longest_secret_is_masked_first() -> None:
    """One that begins with another one does not leave its end behind."""
    assert masker(["abcdef", "abc"])("abcdefg abc") == f"{MASK}g {MASK}"


def test_values_of_any_shape() -> None:
    """Texts, names of fields and numbers; a list of secrets is many secrets."""
    mask = masker([["hunter2"], {"pin": 1234}])
    value = {"hunter2": [1234, "is hunter2", 5.5, None, True]}
    assert mask_value(value, mask) == {MASK: [MASK, f"is {MASK}", 5.5, None, True]}
