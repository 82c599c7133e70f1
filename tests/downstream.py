"""The HTTP server that flows call in tests: it remembers what it was sent and answers as told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import count
from types import TracebackType
from typing import Any

from tests.blackbox.client import eventually
from tests.transports.servers import Server, answer, read_request

ONE = answer(b"1")
SEVEN = answer(b"7", "Content-Type: application/json\r\n")
WAIT_SECONDS = 30
"""The longest that an answer is held back: a test that forgets it fails, and does not hang."""


class Request(bytes):
    """One request, as it came. Header names are in lower case."""

    @property
    def lines(self) -> list[str]:
        """The request line and the header lines."""
        return self.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")

    @property
    def line(self) -> str:
        """Method and target."""
        return self.lines[0].rpartition(" ")[0]

    @property
    def target(self) -> str:
        """What was asked for."""
        return self.line.partition(" ")[2]

    @property
    def headers(self) -> dict[str, str]:
        """Name → value."""
        pairs = (line.partition(":") for line in self.lines[1:])
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def body(self) -> bytes:
        """What comes after the head."""
        return self.partition(b"\r\n\r\n")[2]

    @property
    def json(self) -> Any:
        """The value of the body; ``None`` without a body."""
        return json.loads(self.body) if self.body else None

    @property
    def key(self) -> str | None:
        """The idempotency key."""
        return self.headers.get("idempotency-key")


Respond = Callable[[Request], Any]
"""Gives a whole answer as bytes, the JSON of a 200, or ``(status, JSON)``; ``None`` hangs up."""


class Downstream(Server):
    """Gives ``answers`` one after the other, the last one for ever, or what ``respond`` says.

    It answers many requests at once. ``requests`` are in the order in which they came, ``most`` is
    how many were under way at the same time. While ``is_open`` is cleared, answers are ready and
    held back.
    """

    def __init__(
        self,
        *answers: bytes,
        respond: Respond | None = None,
        host: str = "127.0.0.1",
        is_open: bool = True,
    ) -> None:
        self.respond = respond or _in_turn(answers or (ONE,))
        self.requests: list[Request] = []
        self.most = 0
        self.is_open = threading.Event()
        if is_open:
            self.is_open.set()
        self._under_way = 0
        self._lock = threading.Lock()
        super().__init__(self._converse, host)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.is_open.set()
        super().__exit__(kind, error, traceback)

    @property
    def lines(self) -> list[str]:
        """Method and target of all requests so far."""
        return [request.line for request in self.requests]

    def wait_for(self, number: int) -> list[Request]:
        """The requests, once so many have come."""
        return eventually(lambda: self.requests, lambda found: len(found) >= number)

    def _converse(self, connection: socket.socket) -> None:
        while data := read_request(connection):
            request = Request(data)
            with self._lock:
                self.requests.append(request)
                self._under_way += 1
                self.most = max(self.most, self._under_way)
            try:
                reply = _encoded(self.respond(request))
                assert self.is_open.wait(WAIT_SECONDS)
            finally:
                with self._lock:
                    self._under_way -= 1
            if reply is None:
                return
            connection.sendall(reply)


def down(_: Request) -> Any:
    """A server that cannot do anything now."""
    return 503, {"reason": "closed for today"}


def redirect(status: str, location: str) -> bytes:
    """An answer that redirects."""
    return answer(b"", f"Location: {location}\r\n", status)


def _in_turn(answers: Sequence[bytes]) -> Respond:
    numbers = count()
    return lambda _: answers[min(next(numbers), len(answers) - 1)]


def _encoded(found: Any) -> bytes | None:
    if found is None or isinstance(found, bytes):
        return found
    status, value = found if isinstance(found, tuple) else (200, found)
    head = "Content-Type: application/json\r\n"
    return answer(json.dumps(value).encode(), head, f"{status} {HTTPStatus(status).phrase}")
