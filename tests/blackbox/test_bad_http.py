"""Whatever a client sends instead of HTTP: an envelope where one can be sent, and no harm."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator

import pytest

from tests.blackbox.client import TRIGGER, Client, read_answer, request
from tests.blackbox.server import TOKEN, Server

HEAD = f"POST {TRIGGER}echo HTTP/1.1\r\nHost: a\r\nJuggle-Token: {TOKEN}\r\n"
FORM_HEAD = HEAD + "Content-Type: application/x-www-form-urlencoded\r\n"
GOOD = request("GET", TRIGGER + "echo?text=good", {"Juggle-Token": TOKEN})


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    """After each test, each of the workers that were there before it answers a good request."""
    before = server.workers
    yield
    for worker in before:
        with server.only(worker):
            answer = server.client.send(GOOD)
        assert answer.data["text"] == "good"
        assert answer.seconds < 2
    assert server.workers == before


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"GET /health\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, id="TLS"),
        pytest.param(b"\x00" * 100 + b"\r\n\r\n", 400, id="zeros"),
        pytest.param(b"hello\r\n\r\n", 400, id="a word"),
        pytest.param(b"\n\n\n\n", 400, id="line feeds"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, id="HTTP/3"),
        pytest.param(b"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 505, id="HTTP/1.1x"),
        pytest.param(b"GET / / HTTP/1.1\r\nHost: a\r\n\r\n", 505, id="two targets"),
        pytest.param(b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="lower-case method"),
        pytest.param(b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="NUL in the method"),
        pytest.param(b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="NUL in the target"),
        pytest.param("GET /中 HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 400, id="raw UTF-8 target"),
        pytest.param(b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400, id="no slash"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400, id="no colon"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400, id="space in a name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400, id="NUL in a header"),
        pytest.param(b"GET / HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n", 400, id="folded header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 200 + b"\r\n", 431, id="200 headers"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"1" * 9000 + b"\r\n\r\n", 431, id="9 KB header"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"1" * 900_000 + b"\r\n\r\n", 431, id="900 KB"),
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, id="9 KB target"),
        pytest.param(b"GET /" + b"a" * 900_000 + b" HTTP/1.1\r\n\r\n", 414, id="900 KB target"),
        pytest.param(b"a" * 900_000, 414, id="one endless line"),
    ],
)
def test_a_head_that_is_not_http(client: Client, data: bytes, status: int) -> None:
    """It is refused in the envelope at once, with the status as its code."""
    answer = client.send(data)
    assert answer.outcome == (status, status)
    assert answer.headers["connection"] == "close"
    assert answer.seconds < 2


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        pytest.param("Content-Length: -1", b"", 400, id="negative length"),
        pytest.param("Content-Length: 1x", b"", 400, id="length that is no number"),
        pytest.param("Content-Length: " + "9" * 5000, b"", 400, id="5000-digit length"),
        pytest.param("Content-Length: 1\r\nContent-Length: 2", b"ab", 400, id="two lengths"),
        pytest.param(
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            b"0\r\n\r\n",
            400,
            id="length, chunks",
        ),
        pytest.param("Transfer-Encoding: br, chunked", b"0\r\n\r\n", 501, id="unknown coding"),
        pytest.param("Transfer-Encoding: chunked, chunked", b"0\r\n\r\n", 400, id="chunked twice"),
        pytest.param("Content-Length: 1000001", b"a", 413, id="1 MB and a byte announced"),
        pytest.param("Content-Length: 999999999999999999", b"a", 413, id="an exabyte announced"),
        pytest.param("Expect: the-unexpected\r\nContent-Length: 1", b"a", 417, id="expectation"),
    ],
)
def test_a_body_that_cannot_be(client: Client, fields: str, body: bytes, status: int) -> None:
    """Framing that contradicts itself, or announces too much, is refused before it is read."""
    answer = client.send(f"{FORM_HEAD}{fields}\r\n\r\n".encode() + body)
    assert answer.outcome == (status, status)
    assert answer.seconds < 2


def test_a_body_that_is_too_large(client: Client) -> None:
    """A caller that sends all of it reads the refusal, whole or in chunks."""
    body = b"text=" + bytes(1_000_000)
    whole = client.post(TRIGGER + "echo", body, {"Content-Type": "application/json"})
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(body) // 5, body[: len(body) // 5]) for _ in range(5))
    head = f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
    chunked = client.send(head + chunks + b"5\r\nabcde\r\n0\r\n\r\n")
    assert whole.outcome == chunked.outcome == (413, 413)
    assert whole.message == chunked.message == "the body is larger than 1000000 bytes"


def test_a_body_that_just_fits(client: Client) -> None:
    """A body of 1,000,000 bytes is read to its last byte, whole or in chunks."""
    text = "x" * 999_995
    assert client.post(TRIGGER + "echo", f"text={text}").data["text"] == text
    head = f"{FORM_HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunked = client.send(f"{head}F4240\r\ntext={text}\r\n0\r\n\r\n".encode())
    assert chunked.data["text"] == text


def test_a_body_without_end(client: Client) -> None:
    """A chunked body that goes on and on is refused once it is too large."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(f"{FORM_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
            for _ in range(40):
                connection.sendall(b"10000\r\n" + bytes(65_536) + b"\r\n")
        assert read_answer(connection).outcome == (413, 413)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ("Content-Length: 100", b"text=a"),
        ("Transfer-Encoding: chunked", b"6\r\ntext=a\r\n"),
        ("Transfer-Encoding: chunked", b"6\r\ntex"),
        ("Transfer-Encoding: chunked", b"zz\r\ntext=a\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"-6\r\ntext=a\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"6\r\ntext=abc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"f" * 100 + b"\r\n"),
    ],
)
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json"])
def test_a_body_that_ends_early(
    client: Client, fields: str, body: bytes, content_type: str
) -> None:
    """A body cut off, or in broken chunks, is a malformed one."""
    head = f"{HEAD}Content-Type: {content_type}\r\n{fields}\r\n\r\n"
    answer = client.send(head.encode() + body, half_close=True)
    assert answer.outcome == (400, 2000061004)
    assert answer.message.startswith("流程入参错误: ")
    assert answer.seconds < 2


def test_a_chunked_body(client: Client) -> None:
    """Good chunks are a good body."""
    head = f"{FORM_HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = client.send(head.encode() + b"5\r\ntext=\r\n3;x=y\r\nabc\r\n0\r\n\r\n")
    assert answer.data["text"] == "abc"


def test_a_client_that_waits_to_be_asked(client: Client) -> None:
    """``Expect: 100-continue`` is answered before the body comes."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        connection.sendall(f"{FORM_HEAD}Content-Length: 6\r\nExpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"text=a")
        assert read_answer(connection).data["text"] == "a"


def test_http_1_0(client: Client) -> None:
    """An old client is served, and the connection closed behind the answer."""
    data = f"GET {TRIGGER}echo?text=a HTTP/1.0\r\nJuggle-Token: {TOKEN}\r\n\r\n".encode()
    answer = client.send(data)
    assert answer.data["text"] == "a"
    assert answer.headers["connection"] == "close"


def test_one_connection_after_mistakes(client: Client) -> None:
    """What the application refuses costs no connection: the next request on it is served."""
    mistakes = [
        b"Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{",
        b"Content-Length: 0\r\nJuggle-Token: blackbox-second\r\n\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\ntext=a",
    ]
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        for mistake, status in zip(mistakes, (400, 401, 415), strict=True):
            connection.sendall(HEAD.encode() + mistake)
            assert read_answer(connection).status == status
            connection.sendall(FORM_HEAD.encode() + b"Content-Length: 6\r\n\r\ntext=a")
            assert read_answer(connection).data["text"] == "a"


def test_requests_in_one_go(client: Client) -> None:
    """Pipelined requests are answered in their order."""
    head = FORM_HEAD.encode() + b"Content-Length: 6\r\n"
    requests = [head + b"\r\ntext=%d" % number for number in range(8)]
    last = head + b"Connection: close\r\n\r\ntext=8"
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        connection.sendall(b"".join([*requests, last]))
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert re.findall(rb'"text":"(.)"', answers) == [b"%d" % number for number in range(9)]


def test_clients_that_stall(server: Server, client: Client) -> None:
    """A hundred connections that stop within a head or a body hold up nobody else."""
    with contextlib.ExitStack() as stack:
        for number in range(100):
            connection = socket.create_connection(("127.0.0.1", client.port), timeout=60)
            stack.enter_context(connection)
            body = b"Content-Length: 100\r\n\r\ntext=a" if number % 2 else b""
            connection.sendall(FORM_HEAD.encode() + body)
        for worker in server.workers:
            with server.only(worker):
                assert client.send(GOOD).seconds < 2


def test_clients_that_leave(client: Client) -> None:
    """Connections that say nothing, or half of something, and go, are forgotten."""
    for data in (b"", b"\r\n", b"GET", HEAD.encode(), GOOD):
        with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
            connection.sendall(data)
