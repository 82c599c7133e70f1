"""Servers that do everything wrong: each failure is named, bounded, and costs nothing later."""

from __future__ import annotations

import gzip
import socket
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.http.client.transport import NetworkTransport
from app.http.message import TransportError
from tests.transports.requests import failure, request
from tests.transports.servers import (
    Server,
    Talk,
    answer,
    answering,
    closing_after,
    dripping,
    echo,
    hanging,
    resetting,
    streaming,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = "Content-Encoding: gzip\r\n"
PACKED = gzip.compress(bytes(range(256)))

CASES: dict[str, tuple[Talk, str, str]] = {
    "closes at once": (
        lambda connection: None,
        "connection",
        "the connection was (closed|reset) before an answer came",
    ),
    "closes unanswered": (
        closing_after(b""),
        "connection",
        "the connection was closed before an answer came",
    ),
    "closes within the headers": (
        closing_after(HEAD),
        "connection",
        "the connection was closed within the answer's headers, after 17 bytes",
    ),
    "truncates": (
        closing_after(HEAD + b"Content-Length: 10\r\n\r\nabc"),
        "connection",
        "the connection was closed within the answer's body, after 3 of 10 bytes",
    ),
    "truncates chunks": (
        closing_after(CHUNKED + b"5\r\nabc"),
        "connection",
        "the connection was closed within the answer's body, after 3 bytes",
    ),
    "resets": (resetting(), "connection", "the connection was reset before an answer came"),
    "resets within the body": (
        resetting(HEAD + b"Content-Length: 10\r\n\r\nabc"),
        "connection",
        "the connection was reset (before an answer came|within the answer's body, after 3 of 10)",
    ),
    "hangs": (hanging(), "timeout", "timed out after 0.3 s before an answer came"),
    "hangs within the body": (
        hanging(HEAD + b"Content-Length: 10\r\n\r\nabc"),
        "timeout",
        "timed out after 0.3 s within the answer's body, after 3 of 10 bytes",
    ),
    "drips headers": (
        dripping(HEAD, b"X: y\r\n"),
        "timeout",
        r"timed out after 0.3 s within the answer's headers, after \d+ bytes",
    ),
    "drips its body": (
        dripping(HEAD + b"\r\n", b"x"),
        "timeout",
        r"timed out after 0.3 s within the answer's body, after \d+ bytes",
    ),
    "drips chunks": (
        dripping(CHUNKED, b"1\r\nx\r\n"),
        "timeout",
        r"timed out after 0.3 s within the answer's body, after \d+ bytes",
    ),
    "streams for ever": (
        streaming(HEAD + b"\r\n", lambda: bytes(65536)),
        "too_large",
        "the answer is larger than 1000000 bytes",
    ),
    "announces 2 GB": (
        hanging(HEAD + b"Content-Length: 2147483648\r\n\r\n"),
        "too_large",
        "the answer is larger than 1000000 bytes",
    ),
    "sends headers for ever": (
        streaming(HEAD, lambda: b"X-Header: value\r\n" * 500),
        "response",
        "the headers are larger than 65536 bytes|there are more than 100 headers",
    ),
    "sends interim answers for ever": (
        streaming(b"", lambda: b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
        "response",
        "the headers are larger than 65536 bytes",
    ),
    "sends 101 headers": (
        answering(answer(b"", "X: y\r\n" * 100)),
        "response",
        "there are more than 100 headers",
    ),
    "is not HTTP": (
        answering(b"220 mail.example ESMTP\r\n"),
        "response",
        r"the answer is not HTTP: it begins '220 mail.example ESMTP\\r\\n'",
    ),
    "sends HTML without HTTP": (
        answering(b"<html><body>Hello</body></html>"),
        "response",
        "the answer is not HTTP: it begins '<html>",
    ),
    "breaks its chunks": (
        answering(CHUNKED + b"3\r\nabc\r\nzz\r\n"),
        "response",
        "the answer is broken HTTP: Invalid character in chunk size",
    ),
    "contradicts its length": (
        answering(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        "response",
        "the answer is broken HTTP: .*Content-Length",
    ),
    "sends length and chunks": (
        answering(HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "response",
        "the answer is broken HTTP: .*Transfer-Encoding",
    ),
    "switches protocols": (
        answering(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        "response",
        "the answer switches to another protocol",
    ),
    "breaks gzip": (
        answering(answer(PACKED[:20] + b"!!!!" + PACKED[24:], GZIP)),
        "response",
        "the answer's gzip data is broken",
    ),
    "truncates gzip": (
        answering(answer(PACKED[:-9], GZIP)),
        "response",
        "the answer's gzip data is broken: it ends too early",
    ),
    "encodes as brotli": (
        answering(answer(b"abc", "Content-Encoding: br\r\n")),
        "response",
        "the answer is encoded as 'br', not gzip",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_named_and_bounded(transport: NetworkTransport, name: str) -> None:
    """Kind and sentence say what happened, in time, and the next good request works."""
    talk, kind, sentence = CASES[name]
    with Server(talk) as bad, Server(echo) as good:
        began = time.monotonic()
        wanted = request(f"{bad.url}/secret?token=secret", headers={"X-Key": "secret"}, timeout=0.3)
        with pytest.raises(TransportError, match=f"^127.0.0.1:{bad.port}: ({sentence})") as caught:
            transport.send(wanted)
        assert time.monotonic() - began < 1.5
        assert caught.value.kind == kind
        assert "secret" not in caught.value.message
        assert bad.accepted == 1
        assert transport.send(request(good.url)).status == 200


def test_a_gzip_bomb_costs_little_memory(transport: NetworkTransport) -> None:
    """Two gigabytes of zeros, packed, are cut off at the bound."""
    packer = zlib.compressobj(wbits=31)
    head = CHUNKED[:-2] + GZIP.encode() + b"\r\n"

    def block() -> bytes:
        packed = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_SYNC_FLUSH)
        return b"%x\r\n%s\r\n" % (len(packed), packed)

    packed = block()
    with Server(streaming(head, lambda: packed)) as server:
        tracemalloc.start()
        try:
            error = failure(transport, request(server.url))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert error.kind == "too_large"
    assert peak < 8_000_000


@pytest.fixture
def flaky() -> Iterator[Server]:
    """A server that resets a thousand connections, then behaves."""
    turns = iter(range(1000))

    def talk(connection: socket.socket) -> None:
        if next(turns, None) is None:
            return echo(connection)
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return None

    with Server(talk) as server:
        yield server


def test_a_thousand_failures_use_nothing_up(flaky: Server) -> None:
    """After them a transport that may keep few connections still works."""
    with closing(NetworkTransport(max_idle=2)) as transport:
        for _ in range(1000):
            assert failure(transport, request(flaky.url)).kind == "connection"
        assert transport.send(request(flaky.url)).status == 200
