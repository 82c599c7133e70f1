"""A connection to one server, plain or under TLS, whose every wait ends by a deadline.

Made of the ordinary ``socket`` module. Under gevent's monkey patch that is gevent's, and a wait
lets other greenlets run; elsewhere it is the system's, and a connection may pass from one thread
to the next.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from app.http.client.deadline import Deadline

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
        """Some bytes as soon as there are any; none when the peer closed properly."""
        return self._drive(lambda: self._tls.read(_BLOCK), deadline)

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
