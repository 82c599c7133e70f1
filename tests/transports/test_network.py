"""Exchanges with servers that behave."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.http.client.transport import NetworkTransport
from app.http.message import Response
from tests.transports.requests import failure, request
from tests.transports.servers import Server, answer, answering, closing_after, echo


def test_a_request_goes_out_as_it_is_given(transport: NetworkTransport) -> None:
    """Method, target, headers and body arrive; only what HTTP needs is added."""
    with Server(echo) as server:
        sent = request(f"{server.url}/a?b=c", "POST", b"body", {"X-Name": "é"})
        head, _, body = transport.send(sent).body.partition(b"\r\n\r\n")
    assert body == b"body"
    assert head.decode().split("\r\n") == [
        "POST /a?b=c HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Accept-Encoding: gzip",
        "X-Name: é",
        "Content-Length: 4",
    ]


def test_headers_that_a_flow_may_choose(transport: NetworkTransport) -> None:
    """Host and Accept-Encoding are taken over, in any case, and not sent twice."""
    with Server(echo) as server:
        headers = {"HOST": "other.example", "accept-encoding": "identity"}
        got = transport.send(request(server.url, headers=headers)).body
    assert got == (b"GET / HTTP/1.1\r\nHOST: other.example\r\naccept-encoding: identity\r\n\r\n")


def test_answer_headers_are_lower_case_and_joined(transport: NetworkTransport) -> None:
    """A repeated header is one value; the status is whatever the server says."""
    with Server(answering(answer(b"x", "X-A: 1\r\nx-a: 2\r\n", "418 Teapot"))) as server:
        response = transport.send(request(server.url))
    assert response == Response(418, {"content-length": "1", "x-a": "1, 2"}, b"x")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n", 200, b"abcde"),
        (UNTIL_CLOSE + b"abc", 200, b"abc"),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", 200, b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"abc"), 200, b"abc"),
        (b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n" * 3 + answer(b"abc"), 200, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9999999\r\n\r\n", 304, b""),
        (answer(), 200, b""),
    ],
)
def test_every_way_to_end_a_body(
    transport: NetworkTransport, data: bytes, status: int, body: bytes
) -> None:
    """Length, chunks, closing, no body at all; interim answers are passed over."""
    with Server(closing_after(data)) as server:
        response = transport.send(request(server.url))
    assert (response.status, response.body) == (status, body)


def test_head_has_no_body(transport: NetworkTransport) -> None:
    """The length of the body that GET would have got is neither awaited nor too large."""
    with Server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")) as server:
        for _ in range(2):
            response = transport.send(request(server.url, "HEAD"))
            assert (response.status, response.body) == (200, b"")
    assert server.accepted == 1


RAW_DEFLATE = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(b"hello " * 1000, mtime=0)),
        (
            "x-gzip",
            gzip.compress(b"hello " * 400, mtime=0) + gzip.compress(b"hello " * 600, mtime=0),
        ),
        ("deflate", zlib.compress(b"hello " * 1000)),
        ("deflate", RAW_DEFLATE.compress(b"hello " * 1000) + RAW_DEFLATE.flush()),
        ("identity", b"hello " * 1000),
    ],
)
def test_content_codings_are_undone(transport: NetworkTransport, coding: str, data: bytes) -> None:
    """gzip (of several members too), deflate with and without its wrapper, and none."""
    with Server(answering(answer(data, f"Content-Encoding: {coding}\r\n"))) as server:
        assert transport.send(request(server.url)).body == b"hello " * 1000


def test_redirects_are_answers(transport: NetworkTransport) -> None:
    """Nothing is followed."""
    with Server(answering(answer(b"", "Location: /b\r\n", "302 Found"))) as server:
        response = transport.send(request(server.url))
    assert (response.status, response.headers["location"]) == (302, "/b")


def test_an_answer_of_exactly_the_bound(transport: NetworkTransport) -> None:
    """The bound itself is still allowed; one byte more is not."""
    with Server(answering(answer(b"x" * 1000))) as server:
        assert len(transport.send(request(server.url, max_bytes=1000)).body) == 1000
        error = failure(transport, request(server.url, max_bytes=999))
    assert (error.kind, "larger than 999 bytes" in error.message) == ("too_large", True)


def test_large_bodies_both_ways(transport: NetworkTransport) -> None:
    """Bodies beyond every buffer go through whole."""
    body = bytes(range(256)) * 16_000
    with Server(echo) as server:
        response = transport.send(request(server.url, "PUT", body, max_bytes=5_000_000))
    assert response.body.endswith(body)


def test_an_early_answer_to_a_large_body(transport: NetworkTransport) -> None:
    """A server that answers and goes before it has read everything is understood."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer(b"no", "Connection: close\r\n", "413 Too Large"))

    with Server(refuse) as server:
        response = transport.send(request(server.url, "POST", bytes(5_000_000)))
    assert (response.status, response.body) == (413, b"no")


def test_host_names_are_looked_up(transport: NetworkTransport) -> None:
    """``localhost`` leads to the server, whichever of its addresses it listens on."""
    with Server(echo) as server:
        got = transport.send(request(f"http://localhost:{server.port}/")).body
    assert f"Host: localhost:{server.port}\r\n".encode() in got


def test_many_threads_at_once(transport: NetworkTransport) -> None:
    """Each of many concurrent callers gets the answer to its own request."""
    start = threading.Barrier(16)

    def call(number: int) -> bool:
        start.wait(5)
        urls = [f"{server.url}/{number}/{turn}" for turn in range(20)]
        answers = [transport.send(request(url)).body for url in urls]
        return all(f"GET /{number}/{turn} ".encode() in answers[turn] for turn in range(20))

    with Server(echo) as server, ThreadPoolExecutor(16) as pool:
        assert all(pool.map(call, range(16)))
    assert server.accepted <= 16


def test_nothing_is_opened_before_the_first_request() -> None:
    """So a transport may be made before a fork, and after it every process has its own sockets."""
    threads = threading.active_count()
    NetworkTransport(tls=pytest.fail)
    assert threading.active_count() == threads


def test_json_text_arrives_as_it_was_sent(transport: NetworkTransport) -> None:
    """Bytes are bytes: nothing is decoded or normalised on the way."""
    data = json.dumps({"name": "张三", "note": "\\u0000"}, ensure_ascii=False).encode()
    with Server(answering(answer(data))) as server:
        assert transport.send(request(server.url)).body == data
