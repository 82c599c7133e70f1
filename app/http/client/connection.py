"""A connection to one server, plain or under TLS, whose every wait ends by a deadline.

Made of the ordinary ``socket`` module. Under gevent's monkey patch that is gevent's, and a wait
lets other greenlets run; elsewhere it is the system's, and a connection may pass from one thread
to the next.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from app.http.message import TransportError
from app.http.url import Origin

_BLOCK = 64 * 1024

T = TypeVar("T")


class Connection:
    """A TCP connection. Everything raises ``OSError``, and ``TimeoutError`` when time is up."""

    def __init__(self, sock: socket.socket) -> None:
        self.idle_since = 0.0
        self._socket = sock

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Write all of ``data``."""
        self._socket.settimeout(deadline.left())
        # Nearly always this is all; gevent's sendall costs a call 4 µs more.
        sent = self._socket.send(data)
        if sent < len(data):
            self._socket.settimeout(deadline.left())
            self._socket.sendall(memoryview(data)[sent:])

    def receive(self, deadline: Deadline) -> bytes:
        """Some bytes as soon as there are any; none when the peer closed."""
        self._socket.settimeout(deadline.left())
        return self._socket.recv(_BLOCK)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come. What comes to an idle connection is mostly its end."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except OSError as error:
            return isinstance(error, BlockingIOError)
        return False

    def close(self) -> None:
        """Close the socket; closing twice is harmless."""
        self._socket.close()


class TlsConnection(Connection):
    """The same under TLS.

    The ciphering works on memory, so the waits stay those of the plain connection. ``SSLSocket``
    would wait by itself, and gevent's starts its timeout anew with every fragment of a record.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def handshake(self, deadline: Deadline) -> None:
        """Agree on keys and check the peer's certificate."""
        self._drive(self._tls.do_handshake, deadline)

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Write all of ``data``."""
        self._drive(lambda: self._tls.write(data), deadline)

    def receive(self, deadline: Deadline) -> bytes:
        """Some bytes as soon as there are any; none when the peer closed properly.

        Whether OpenSSL minds an end without notice differs between versions of Python: we do.
        """
        data = self._drive(lambda: self._tls.read(_BLOCK), deadline)
        if not data and self._incoming.eof:
            error = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection ended without notice")
            error.reason = "UNEXPECTED_EOF_WHILE_READING"
            raise error
        return data

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come, deciphered or not."""
        return super().is_quiet and not self._incoming.pending and not self._tls.pending()

    def _drive(self, operation: Callable[[], T], deadline: Deadline) -> T:
        """Repeat an operation, carrying bytes to and from the peer, until it succeeds."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._flush(deadline)
                self._fill(deadline)
            else:
                self._flush(deadline)
                return result

    def _flush(self, deadline: Deadline) -> None:
        if self._outgoing.pending:
            super().send(self._outgoing.read(), deadline)

    def _fill(self, deadline: Deadline) -> None:
        if data := super().receive(deadline):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


class Deadline:
    """Counts down from a number of seconds, by a clock that counts seconds."""

    __slots__ = ("_clock", "_end", "seconds")

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds that are left, always more than none.

        Raises:
            TimeoutError: the moment has come.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError
        return left


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

    # A look-up cannot be interrupted. So it runs in a thread, which we leave when time is up.
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
