"""Query strings and forms, strictly."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.form import MAX_FIELDS, FormError, encode, parse

TEXT = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=8))
def test_what_is_encoded_is_parsed_back(pairs: list[tuple[str, str]]) -> None:
    """A round trip changes nothing, and the standard library agrees both ways."""
    text = encode(pairs)
    assert parse(text) == pairs == parse_qsl(text, keep_blank_values=True)
    assert parse(urlencode(pairs)) == pairs


@given(st.text("ab=&+%20Ff", max_size=30))
def test_it_agrees_with_the_standard_library(text: str) -> None:
    """Whatever ``parse_qsl`` reads strictly is read in the same way; the rest is refused."""
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(FormError):
            parse(text)
    else:
        assert parse(text) == expected


@pytest.mark.parametrize("text", [b"a=%ff", b"a=\xff", b"a=1&" * MAX_FIELDS + b"a=1"])
def test_what_cannot_be_read_is_refused(text: bytes) -> None:
    """Not UTF-8, or too many fields."""
    with pytest.raises(FormError):
        parse(text)


def test_raw_utf8_is_read() -> None:
    """What browsers never send, but people's ``curl`` does."""
    assert parse("name=张三&x".encode()) == [("name", "张三"), ("x", "")]
