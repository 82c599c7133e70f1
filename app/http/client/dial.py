"""Opening a connection: look the name up, connect, agree on TLS, each with its failures named."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from app.http.client.connection import Connection, TlsConnection
from app.http.client.deadline import Deadline
from app.http.message import TransportError
from app.http.url import Origin

AddressInfo = tuple[int, int, int, str, Any]
"""Family, type, protocol, canonical name and address, as ``socket.getaddrinfo`` gives them."""

Resolve = Callable[[str, int], list[AddressInfo]]
"""Host and port → addresses to try, in order. Raises ``OSError`` or ``TransportError``."""

_SENTENCES: tuple[tuple[type[OSError], str], ...] = (
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionError, "the connection was reset"),
)


def resolve(host: str, port: int) -> list[AddressInfo]:
    """Ask the system's resolver."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def dial(
    origin: Origin, deadline: Deadline, resolve: Resolve, tls: Callable[[], ssl.SSLContext]
) -> Connection:
    """Open a connection to an origin.

    Raises:
        TransportError: kind ``connection`` or ``timeout``.
    """
    with _named(deadline, "while looking up the host name"):
        addresses = _look_up(origin, deadline, resolve)
    with _named(deadline, "while connecting"):
        sock = _connect(addresses, deadline)
    if origin.scheme == "http":
        return Connection(sock)
    with _named(deadline, "while agreeing on TLS"), _closed_on_error(sock):
        connection = TlsConnection(sock, tls(), origin.host)
        connection.handshake(deadline)
    return connection


def failure(error: OSError, deadline: Deadline, when: str) -> TransportError:
    """Name an error of a connection; ``when`` ends the sentence."""
    if isinstance(error, TimeoutError):
        return TransportError("timeout", f"timed out after {round(deadline.seconds, 2):g} s {when}")
    if isinstance(error, socket.gaierror):
        return TransportError("connection", f"host name not found ({error.strerror})")
    return TransportError("connection", f"{_sentence(error)} {when}")


def _sentence(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the certificate was not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({(error.reason or 'unknown reason').lower().replace('_', ' ')})"
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            return sentence
    return f"the connection failed ({error.strerror or error})"


@contextmanager
def _named(deadline: Deadline, when: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise failure(error, deadline, when) from None


@contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _look_up(origin: Origin, deadline: Deadline, resolve: Resolve) -> list[AddressInfo]:
    if _is_address(origin.host):
        return resolve(origin.host, origin.port)
    found: Future[list[AddressInfo]] = Future()

    def look_up() -> None:
        try:
            found.set_result(resolve(origin.host, origin.port))
        except (OSError, TransportError) as error:
            found.set_exception(error)

    # A look-up cannot be interrupted, but a thread can be left behind with it until it ends.
    threading.Thread(target=look_up, name=f"look up {origin.host}", daemon=True).start()
    return found.result(deadline.left())


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _connect(addresses: list[AddressInfo], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; each gets an equal share of what time is left."""
    failed: OSError = OSError("the host name has no address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            share = deadline.left() / (len(addresses) - position)
            return _connected(socket.socket(family, kind, protocol), address, share)
        except OSError as error:
            failed = error
    raise failed


def _connected(sock: socket.socket, address: Any, timeout: float) -> socket.socket:
    with _closed_on_error(sock):
        sock.settimeout(timeout)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
