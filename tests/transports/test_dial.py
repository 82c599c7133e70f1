"""Connections that cannot be opened, or only at the second address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from app.http.client.connection import AddressInfo
from app.http.client.transport import NetworkTransport
from app.http.message import TransportError
from tests.transports.requests import failure, request
from tests.transports.servers import Server, closed_port, echo


def test_refused(transport: NetworkTransport) -> None:
    """Nobody listens: the sentence says refused, and where."""
    port = closed_port()
    error = failure(transport, request(f"http://127.0.0.1:{port}/"))
    assert error.kind == "connection"
    assert error.message == f"127.0.0.1:{port}: the connection was refused while connecting"


def test_unreachable(transport: NetworkTransport) -> None:
    """The system's own words say why an address cannot be reached."""
    error = failure(transport, request("http://255.255.255.255/"))
    assert error.kind == "connection"
    assert "unreachable" in error.message


@contextmanager
def swallowing_port() -> Iterator[int]:
    """A port whose queue of waiting connections is full, so that it answers nothing."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_connecting_in_vain(transport: NetworkTransport) -> None:
    """A host that swallows connection requests is given up in time."""
    with swallowing_port() as port:
        error = failure(transport, request(f"http://127.0.0.1:{port}/", timeout=0.3))
    assert error.kind == "timeout"
    assert error.message.endswith("timed out after 0.3 s while connecting")


def test_no_time_at_all(transport: NetworkTransport) -> None:
    """Without any time left nothing is sent."""
    with Server(echo) as server:
        error = failure(transport, request(server.url, timeout=0))
    assert error.kind == "timeout"
    assert server.accepted == 0


def test_a_name_that_nobody_knows() -> None:
    """The resolver's answer is told, with the name."""

    def resolve(host: str, port: int) -> list[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    error = failure(NetworkTransport(resolve=resolve), request("http://nowhere.example/"))
    assert error.kind == "connection"
    assert error.message == ("nowhere.example:80: host name not found (Name or service not known)")


def test_a_slow_name_server() -> None:
    """A look-up that does not end is left behind when time is up."""
    release = threading.Event()

    def resolve(host: str, port: int) -> list[AddressInfo]:
        release.wait(5)
        return []

    try:
        error = failure(
            NetworkTransport(resolve=resolve), request("http://slow.example/", timeout=0.2)
        )
    finally:
        release.set()
    assert error.kind == "timeout"
    assert error.message.endswith("timed out after 0.2 s while looking up the host name")


def test_a_guard_in_the_resolver_is_heard() -> None:
    """What refuses an address at look-up decides the error."""

    def resolve(host: str, port: int) -> list[AddressInfo]:
        raise TransportError("request", "not allowed")

    error = failure(NetworkTransport(resolve=resolve), request("http://inside.example/"))
    assert (error.kind, error.message) == ("request", "inside.example:80: not allowed")


def test_the_next_address_is_tried() -> None:
    """A host is reached through the first address that answers; none may take up all the time."""
    with Server(echo) as server, swallowing_port() as silent:

        def resolve(host: str, port: int) -> list[AddressInfo]:
            ports = (closed_port(), silent, server.port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", p)) for p in ports]

        with closing(NetworkTransport(resolve=resolve)) as transport:
            assert transport.send(request("http://many.example/", timeout=0.6)).status == 200


def test_an_address_is_not_looked_up_in_a_thread() -> None:
    """Only a name is; for an address that would cost as much as connecting."""
    callers = []

    def resolve(host: str, port: int) -> list[AddressInfo]:
        callers.append(threading.get_ident())
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    transport = NetworkTransport(resolve=resolve)
    for host in ("127.0.0.1", "[::1]", "a.example"):
        failure(transport, request(f"http://{host}/"))
    here = threading.get_ident()
    assert [caller == here for caller in callers] == [True, True, False]
