"""Requests as bytes, and those that cannot become any."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.http.client.transport import encode
from app.http.message import Request, TransportError
from app.http.url import Origin

ORIGIN = Origin("http", "a.example", 80)


def encoded(method: str = "GET", body: bytes = b"", /, **headers: str) -> bytes:
    """A request to ``/`` as bytes."""
    return encode(Request(method, "http://a.example/", headers, body, 1.0, 1), ORIGIN, "/")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_empty_body_has_a_length(method: str) -> None:
    """Where a body is usual, its absence is said; elsewhere not."""
    assert b"\r\nContent-Length: 0\r\n" in encoded(method)
    assert b"Content-Length" not in encoded("GET")


@pytest.mark.parametrize("method", ["", "GET /x", "GET\r\n", "GÉT", "CONNECT"])
def test_a_method_that_cannot_be_sent(method: str) -> None:
    """Anything that is no HTTP token is refused, and a tunnel is not what we want."""
    with pytest.raises(TransportError, match="method") as caught:
        encoded(method)
    assert caught.value.kind == "request"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nEvil: b"),
        ("X", "a\nb"),
        ("X", "a\x00b"),
        ("X", "\x7f"),
        ("X", "\ud800"),
        ("X\r\nEvil", "b"),
        ("X:", "b"),
        ("X Y", "b"),
        ("", "b"),
        ("Ü", "b"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
    ],
)
def test_a_header_that_cannot_be_sent(name: str, value: str) -> None:
    """No header can add another one, or change where the body ends."""
    with pytest.raises(TransportError) as caught:
        encoded(**{name: value})
    assert caught.value.kind == "request"
    assert not value or value not in caught.value.message


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.binary(max_size=8))
def test_any_header_is_one_line_or_refused(headers: dict[str, str], body: bytes) -> None:
    """What is sent has as many lines as headers, and then the body."""
    with suppress(TransportError):
        head, _, rest = encoded("POST", body, **headers).partition(b"\r\n\r\n")
        added = {"host", "accept-encoding"} - {name.lower() for name in headers}
        assert rest == body
        assert len(head.splitlines()) == 2 + len(headers) + len(added)
