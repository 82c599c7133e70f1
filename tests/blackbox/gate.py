"""A downstream that holds its callers until a test lets them go."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

from tests.blackbox.client import eventually
from tests.transports import servers

ANSWER = servers.answer(b"7", "Content-Type: application/json\r\n")


class Gate(servers.Server):
    """Answers nobody until ``opened`` is set, at the latest when it is left."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.waiting = 0
        """Requests so far."""
        super().__init__(self._talk_when_open)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.opened.set()
        super().__exit__(kind, error, traceback)

    def wait_for(self, requests: int) -> None:
        """Return once so many requests have come."""
        eventually(lambda: self.waiting, lambda waiting: waiting >= requests, 10)

    def _talk_when_open(self, connection: socket.socket) -> None:
        while servers.read_request(connection):
            self.waiting += 1
            self.opened.wait(30)
            connection.sendall(ANSWER)
