"""The downstream of all chaos flows: it writes down every effect before it answers."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.transports import servers

LONGEST_ANSWER = 0.06
"""Seconds. Long enough that many a process dies while it waits for one."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One request that came. ``kind`` is ``effect``, ``refuse``, ``hold`` or ``callback``.

    ``key`` is its ``Idempotency-Key``, ``body`` its JSON, ``at`` when it came (monotonic seconds).
    """

    kind: str
    run: str
    step: str
    key: str | None
    body: dict[str, Any]
    at: float


class Sink(servers.Server):
    """Answers at ``/<kind>/<run>/<step>``; what came to ``hold`` waits until ``opened`` is set."""

    def __init__(self, longest_answer: float = LONGEST_ANSWER) -> None:
        self.opened = threading.Event()
        self._longest_answer = longest_answer
        self._random = random.Random()
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._effects: list[Effect] = []
        super().__init__(self._talk_and_remember)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left.set()
        self.opened.set()
        super().__exit__(kind, error, traceback)

    @property
    def effects(self) -> list[Effect]:
        """All of them, callbacks too, in the order in which they came."""
        with self._lock:
            return list(self._effects)

    def of(self, run: str, step: str = "") -> list[Effect]:
        """The effects of one run, or of one step of it."""
        return [e for e in self.effects if e.run == run and step in ("", e.step)]

    def by_run(self) -> dict[str, list[Effect]]:
        """The effects of each run."""
        runs: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.effects:
            runs[effect.run].append(effect)
        return runs

    def _talk_and_remember(self, connection: socket.socket) -> None:
        while request := servers.read_request(connection):
            effect = _read(request)
            with self._lock:
                self._effects.append(effect)
                number = len(self._effects)
            self._wait(effect)
            connection.sendall(_answer(effect, number))

    def _wait(self, effect: Effect) -> None:
        if effect.kind == "hold":
            self.opened.wait(90)
        elif self._longest_answer:
            self._left.wait(self._random.random() * self._longest_answer)


def _read(request: bytes) -> Effect:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    kind, run, step = [*first.split(" ")[1].strip("/").split("/"), ""][:3]
    now = time.monotonic()
    return Effect(kind, run, step, fields.get("idempotency-key"), json.loads(body), now)


def _answer(effect: Effect, number: int) -> bytes:
    status = "500 Internal Server Error" if effect.kind == "refuse" else "200 OK"
    body = json.dumps({"number": number}).encode()
    return servers.answer(body, "Content-Type: application/json\r\n", status)
