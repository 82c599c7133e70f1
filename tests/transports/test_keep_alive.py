"""Connections are used again, and a request never suffers from one that has gone stale."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, closing

import pytest

from app.http.client.connection import Connection
from app.http.client.pool import ConnectionKey, IdlePool
from app.http.client.transport import NetworkTransport
from app.http.url import Origin
from tests.transports.requests import failure, request
from tests.transports.servers import Server, answer, answering, closing_after, echo, read_request


def test_a_connection_is_used_again(transport: NetworkTransport) -> None:
    """One connection serves request after request."""
    with Server(echo) as server:
        for _ in range(5):
            transport.send(request(server.url))
    assert server.accepted == 1


@pytest.mark.parametrize(
    "data",
    [
        answer(b"x", "Connection: close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        answer(b"x") + b"more",
        answer(b"x") + answer(b"forged"),
    ],
)
def test_a_connection_that_cannot_be_used_again(transport: NetworkTransport, data: bytes) -> None:
    """The server says so, or bytes that nobody asked for stand behind the answer."""
    with Server(answering(data)) as server:
        for _ in range(2):
            assert transport.send(request(server.url)).body == b"x"
    assert server.accepted == 2


def test_bytes_that_come_late_are_not_the_next_answer(transport: NetworkTransport) -> None:
    """What arrives on an idle connection ends it."""
    is_idle, is_sent = threading.Event(), threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"x"))
        is_idle.wait(5)
        connection.sendall(answer(b"forged"))
        is_sent.set()
        connection.recv(1)

    with Server(talk) as server:
        transport.send(request(server.url))
        is_idle.set()
        assert is_sent.wait(5)
        assert transport.send(request(server.url)).body == b"x"
    assert server.accepted == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_closed_while_idle(transport: NetworkTransport, method: str) -> None:
    """It is noticed before the request is sent, so that even a POST is safe."""
    is_closed = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"x"))
        connection.close()
        is_closed.set()

    with Server(talk) as server:
        for _ in range(2):
            assert transport.send(request(server.url, method)).body == b"x"
            assert is_closed.wait(5)
    assert server.accepted == 2


class Closing:
    """Answers once a connection, then closes it when the next request has come in."""

    def __init__(self, good: int) -> None:
        self.seen: list[bytes] = []
        self._good = good

    def __call__(self, connection: socket.socket) -> None:
        self.seen.append(read_request(connection)[:4])
        if len(self.seen) > self._good:
            return
        connection.sendall(answer(b"x"))
        if request := read_request(connection):
            self.seen.append(request[:4])


def test_a_request_that_only_reads_is_repeated_once(transport: NetworkTransport) -> None:
    """When the idle connection closes under a GET, a new one is opened for it."""
    talk = Closing(good=9)
    with Server(talk) as server:
        for _ in range(2):
            assert transport.send(request(server.url)).body == b"x"
    assert talk.seen == [b"GET ", b"GET ", b"GET "]


def test_no_request_is_repeated_twice(transport: NetworkTransport) -> None:
    """When the new connection fails as well, that is the answer."""
    talk = Closing(good=1)
    with Server(talk) as server:
        transport.send(request(server.url))
        error = failure(transport, request(server.url))
    assert error.kind == "connection"
    assert talk.seen == [b"GET ", b"GET ", b"GET "]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_may_change_something_is_never_repeated(
    transport: NetworkTransport, method: str
) -> None:
    """The server may have carried it out: a second time is for the flow to permit."""
    talk = Closing(good=9)
    with Server(talk) as server:
        transport.send(request(server.url, method))
        error = failure(transport, request(server.url, method))
    assert error.message.endswith("the connection was closed before an answer came")
    assert talk.seen == [f"{method} "[:4].encode()] * 2


def test_a_begun_answer_is_never_asked_for_again(transport: NetworkTransport) -> None:
    """Not even a GET: something has happened over there."""
    with Server(closing_after(answer(b"x"), b"HTTP/1.1 200")) as server:
        transport.send(request(server.url))
        error = failure(transport, request(server.url))
    assert "within the answer's headers, after 12 bytes" in error.message
    assert server.accepted == 1


def test_a_slow_answer_is_not_asked_for_again(transport: NetworkTransport) -> None:
    """Waiting in vain on a used connection is a timeout, and the request was sent once."""
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        while request := read_request(connection):
            seen.append(request)
            if len(seen) == 1:
                connection.sendall(answer(b"x"))

    with Server(talk) as server:
        transport.send(request(server.url))
        error = failure(transport, request(server.url, timeout=0.1))
    assert error.message.endswith("timed out after 0.1 s before an answer came")
    assert len(seen) == 2


def test_a_timeout_closes_the_connection(transport: NetworkTransport) -> None:
    """A late answer cannot be taken for that of the next request."""

    def talk(connection: socket.socket) -> None:
        first = server.accepted == 1
        while read_request(connection):
            if first:
                connection.recv(1)
            connection.sendall(answer(b"x"))

    with Server(talk) as server:
        assert failure(transport, request(server.url, timeout=0.1)).kind == "timeout"
        assert transport.send(request(server.url)).body == b"x"
    assert server.accepted == 2


def test_idle_connections_grow_old() -> None:
    """After a while a firewall may have forgotten a connection: a new one is opened."""
    now = [1000.0]
    transport = NetworkTransport(idle_seconds=30, clock=lambda: now[0])
    with closing(transport), Server(echo) as server:
        for seconds, accepted in ((29, 1), (31, 1), (0, 2)):
            transport.send(request(server.url))
            assert server.accepted == accepted
            now[0] += seconds


def test_the_number_of_idle_connections_is_bounded() -> None:
    """The origin that was not used for the longest time loses its connection first."""
    transport = NetworkTransport(max_idle=2)
    with ExitStack() as stack:
        stack.enter_context(closing(transport))
        first, second, third = (stack.enter_context(Server(echo)) for _ in range(3))
        for server in (first, second, first, third):
            transport.send(request(server.url))
        for server in (first, third):
            transport.send(request(server.url))
        assert [s.accepted for s in (first, second, third)] == [1, 1, 1]
        transport.send(request(second.url))
        assert second.accepted == 2


def test_an_origin_with_several_connections_is_used_when_one_is() -> None:
    """The connection that goes is the oldest of another origin."""
    with ExitStack() as stack:

        def connection() -> Connection:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            return stack.enter_context(closing(Connection(ours)))

        pool = IdlePool(3, 30, lambda: 0)
        often, seldom, new = [ConnectionKey(Origin("http", host, 80), False) for host in "abc"]
        busy = [connection(), connection()]
        for use, each in ((often, busy[0]), (often, busy[1]), (seldom, connection())):
            pool.put(use, each)
        used = pool.take(often)
        assert used is busy[1]
        pool.put(often, used)
        pool.put(new, connection())
        assert pool.take(seldom) is None
        assert [pool.take(often), pool.take(often)] == busy[::-1]
