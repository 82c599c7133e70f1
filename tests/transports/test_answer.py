"""The answer parser, fed with whatever, in whatever pieces."""

from __future__ import annotations

import gzip
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.http.client.response import Inflater, ResponseParser
from app.http.message import TransportError

PACKED = gzip.compress(b"hello ") + gzip.compress(b"world")
ANSWER = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nX-Empty:\r\nX-A:  1 \r\n"
    b"Transfer-Encoding: chunked\r\nX-A: 2\r\n\r\n"
    b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Trailer: t\r\n\r\n"
    % (7, PACKED[:7], len(PACKED) - 7, PACKED[7:])
)


def pieces(data: bytes, cuts: set[int]) -> list[bytes]:
    """The data, cut at these positions."""
    ends = [*sorted(cut % len(data) for cut in cuts), len(data)]
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False) if a < b]


@settings(deadline=None, max_examples=200)
@given(st.sets(st.integers(0, 10_000)))
def test_an_answer_reads_the_same_in_any_pieces(cuts: set[int]) -> None:
    """Names, values, chunks and packed data may be cut anywhere."""
    answer = ResponseParser("GET", 11)
    for piece in pieces(ANSWER, cuts):
        assert not answer.is_complete
        answer.receive(piece)
    assert answer.is_complete
    assert answer.keeps_connection
    response = answer.response()
    assert (response.status, response.body) == (200, b"hello world")
    assert response.headers == {
        "content-encoding": "gzip",
        "x-empty": "",
        "x-a": "1, 2",
        "transfer-encoding": "chunked",
    }


@settings(deadline=None, max_examples=200)
@given(
    st.binary()
    | st.tuples(st.integers(0, len(ANSWER)), st.binary(max_size=5)).map(
        lambda change: ANSWER[: change[0]] + change[1] + ANSWER[change[0] + 1 :]
    ),
    st.sets(st.integers(0, 10_000), max_size=5),
)
def test_any_bytes_are_an_answer_or_a_named_failure(data: bytes, cuts: set[int]) -> None:
    """Nothing else is ever raised, and the body keeps to its bound."""
    answer = ResponseParser("GET", 11)
    with suppress(TransportError):
        for piece in [*pieces(data or b"x", cuts), b""]:
            if not answer.is_complete:
                answer.receive(piece)
        assert len(answer.response().body) <= 11


@pytest.mark.parametrize("size", [65_000, 66_000])
def test_the_head_is_bounded_not_the_body(size: int) -> None:
    """A long head is refused even when it comes whole; a long body has its own bound."""
    answer = ResponseParser("GET", 100_000)
    answer.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + bytes(90_000))
    assert answer.is_complete
    head = b"HTTP/1.1 200 OK\r\nX: " + b"x" * size
    answer = ResponseParser("GET", 100_000)
    if size < 65_536:
        answer.receive(head)
        assert not answer.is_complete
    else:
        with pytest.raises(TransportError, match="headers are larger"):
            answer.receive(head)


def test_trailers_are_dropped_however_long() -> None:
    """They are read past, not kept."""
    answer, trailers = ResponseParser("GET", 10), b"X-Trailer: t\r\n" * 1000
    answer.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    tracemalloc.start()
    try:
        for _ in range(5):
            answer.receive(trailers)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    answer.receive(b"\r\n")
    assert kept < 10_000
    assert answer.response().headers == {"transfer-encoding": "chunked"}


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=3000), st.integers(0, 4000), st.integers(1, 400))
def test_inflating_stops_at_the_bound(data: bytes, room: int, step: int) -> None:
    """Never more than one byte beyond the room comes out, and all of it if there is room."""
    inflater, packed, out = Inflater("gzip"), gzip.compress(data), bytearray()
    for start in range(0, len(packed), step):
        if len(out) <= room:
            out += inflater.decode(packed[start : start + step], room - len(out))
    assert out == data[: room + 1]


def test_empty_gzip_members_have_an_end() -> None:
    """Packed data that never becomes a body is cut off too."""
    answer = ResponseParser("GET", 10)
    answer.receive(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    for _ in range(60):
        answer.receive(gzip.compress(b"") * 50)
    with pytest.raises(TransportError, match="larger than 10 bytes"):
        answer.receive(gzip.compress(b"") * 500)
