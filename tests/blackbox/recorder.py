"""A downstream that remembers what it was sent."""

from __future__ import annotations

import socket

from tests.transports.servers import Server, answer, read_request


class Recorder(Server):
    """Gives its answers in turn, the last one for ever; ``requests`` holds what came."""

    def __init__(self, *answers: bytes, host: str = "127.0.0.1") -> None:
        self.requests: list[bytes] = []
        self._answers = answers or (answer(b"1"),)
        super().__init__(self._record, host)

    def _record(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            self.requests.append(request)
            position = min(len(self.requests), len(self._answers)) - 1
            connection.sendall(self._answers[position])

    @property
    def lines(self) -> list[str]:
        """The request line and the header lines of the last request."""
        return self.requests[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")

    @property
    def names(self) -> set[str]:
        """The header names of the last request, in lower case."""
        return {line.partition(":")[0].lower() for line in self.lines[1:]}


def redirect(status: str, location: str) -> bytes:
    """An answer that redirects."""
    return answer(b"", f"Location: {location}\r\n", status)
