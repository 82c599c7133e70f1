"""The APIs that the recipes call: small servers that answer, are slow, or do not answer at all."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tests.transports.servers import Server, answer, read_request

WAIT_SECONDS = 30
"""The longest that an answer is held back: a test that forgets it fails, and does not hang."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: ``line`` is method and target, ``body`` JSON, ``key`` the idempotency key."""

    line: str
    body: Any
    key: str | None


Respond = Callable[[Call], Any]
"""Gives the JSON of a 200, or ``(status, JSON)``; ``None`` breaks the connection off."""


class Api(Server):
    """Answers each request as ``respond`` says, many at once.

    ``calls`` are the requests in the order in which they came, ``most`` is how many of them were
    under way at the same time. While it ``is_down`` it answers 503 to everything, without asking
    ``respond``. While ``is_open`` is cleared, answers are ready and held back.
    """

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.calls: list[Call] = []
        self.most = 0
        self.is_down = False
        self.is_open = threading.Event()
        self.is_open.set()
        self._under_way = 0
        self._lock = threading.Lock()
        super().__init__(self._converse)

    @property
    def lines(self) -> list[str]:
        """Method and target of all requests so far."""
        return [call.line for call in self.calls]

    def _converse(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            with self._lock:
                self.calls.append(_call(request))
                call = self.calls[-1]
                self._under_way += 1
                self.most = max(self.most, self._under_way)
            try:
                data = self._answer(call)
                assert self.is_open.wait(WAIT_SECONDS)
            finally:
                with self._lock:
                    self._under_way -= 1
            if data is None:
                return
            connection.sendall(data)

    def _answer(self, call: Call) -> bytes | None:
        found = (503, {"reason": "closed for today"}) if self.is_down else self.respond(call)
        if found is None:
            return None
        status, value = found if isinstance(found, tuple) else (200, found)
        head = "Content-Type: application/json\r\n"
        return answer(json.dumps(value).encode(), head, f"{status} {HTTPStatus(status).phrase}")


def _call(request: bytes) -> Call:
    head, _, body = request.partition(b"\r\n\r\n")
    key = re.search(rb"\r\nIdempotency-Key: (.*?)\r\n", head + b"\r\n", re.IGNORECASE)
    line = head.partition(b" HTTP/")[0].decode()
    return Call(line, json.loads(body) if body else None, key[1].decode() if key else None)


class Things:
    """An API that keeps things under numbers: it makes, shows and deletes them.

    A second request with an idempotency key that it knows gets the first one's answer, and nothing
    is made. ``things`` are those that are there, ``made`` counts those that ever were.
    """

    def __init__(self, make: Callable[[Any], Any]) -> None:
        """``make`` gives the answer to a ``POST`` of this JSON; a tuple is a refusal."""
        self.make = make
        self.things: dict[str, Any] = {}
        self.made = 0
        self._answers: dict[str | None, Any] = {}

    def __call__(self, call: Call) -> Any:
        """Answer one request."""
        method, _, target = call.line.partition(" ")
        number = target.rpartition("/")[2]
        if method == "POST":
            return self._post(call)
        if method == "DELETE":
            return {} if self.things.pop(number, None) else (404, {"reason": "nothing there"})
        return self.things.get(number) or (404, {"reason": "nothing there"})

    def _post(self, call: Call) -> Any:
        if call.key is None or call.key not in self._answers:
            made = self._answers[call.key] = self.make(call.body)
            if not isinstance(made, tuple):
                self.made += 1
                self.things[call.body["order"]] = made
        return self._answers[call.key]


def addresses(apis: Mapping[str, Api]) -> dict[str, str]:
    """What the pages call these APIs, ``http://NAME.internal``, and where they really are."""
    return {f"http://{name}.internal": api.url for name, api in apis.items()}
