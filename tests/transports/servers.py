"""Servers of one test each: plain sockets on this machine, well behaved or not."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Talk = Callable[[socket.socket], None]
"""One side of a conversation: what a server does with one accepted connection."""


class Server:
    """Accepts connections and lets ``talk`` deal with each, in a thread of its own."""

    def __init__(self, talk: Talk, host: str = "127.0.0.1") -> None:
        self._talk = talk
        self._listener = socket.create_server((host, 0), backlog=128)
        self._threads = [threading.Thread(target=self._accept)]
        self._connections: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self.accepted = 0
        """Connections so far."""

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for sock in (self._listener, *self._connections):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._talk(connection)


def read_request(connection: socket.socket) -> bytes:
    """One request, head and body; nothing when the client closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block:
            return b""
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(x[15:]) for x in head.split(b"\r\n") if x.startswith(b"Content-Length:")]
    while len(body) < sum(lengths):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"", head: str = "", status: str = "200 OK") -> bytes:
    """A whole answer; ``head`` is further header lines, each with its line end."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def answering(data: bytes) -> Talk:
    """Sends this to every request."""

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(data)

    return talk


def closing_after(*answers: bytes) -> Talk:
    """Sends these to the first requests, one each, then closes."""

    def talk(connection: socket.socket) -> None:
        for data in answers:
            read_request(connection)
            connection.sendall(data)

    return talk


def echo(connection: socket.socket) -> None:
    """Answers every request with the request itself."""
    while request := read_request(connection):
        connection.sendall(answer(request))


def hanging(*first: bytes) -> Talk:
    """Sends something, then nothing more until the client closes."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"".join(first))
        connection.recv(1)

    return talk


def dripping(head: bytes, drop: bytes) -> Talk:
    """Sends ``head``, then ``drop`` every 20 ms until the client closes."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        while True:
            threading.Event().wait(0.02)
            connection.sendall(drop)

    return talk


def streaming(head: bytes, block: Callable[[], bytes]) -> Talk:
    """Sends ``head``, then block after block, as fast as it can, until the client closes."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        while True:
            connection.sendall(block())

    return talk


def resetting(*first: bytes) -> Talk:
    """Sends something, then resets the connection."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"".join(first))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return talk


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
