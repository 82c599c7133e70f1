"""Callers: they trigger runs, look at them now and then, and remember what they were told."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.blackbox.client import Answer, Client
from tests.blackbox.server import TOKEN

BUSY = (503, 2000061006)
MOST_RUNS = 5_000
"""Of one load, however long it lasts."""
ORDER = {"INIT": 0, "RUNNING": 1, "FINISH": 2, "ABORT": 2}
BROKEN = (OSError, http.client.HTTPException)
"""A server that is not there, or went away."""


@dataclass(slots=True)
class Book:
    """What callers were told. A run is known by its ``tag``, which its caller made up.

    ``accepted`` maps tag → (flow, id); ``refused`` are answers that said 503, with their message,
    ``broken`` those that never came whole, with what went wrong; ``strange`` is whatever must not
    be.
    """

    accepted: dict[str, tuple[str, str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)

    @property
    def ids(self) -> dict[str, str]:
        """Id → flow, of all that were answered."""
        return {run_id: flow for flow, run_id in list(self.accepted.values())}


class Load:
    """``callers`` threads call flows in turn, with a pause of at most ``pause`` seconds between.

    ``port`` says where the server is now. Use as a context manager: it ends with the block.
    """

    def __init__(
        self,
        port: Callable[[], int],
        sink: str,
        flows: Sequence[str],
        *,
        seed: int = 0,
        callers: int = 4,
        pause: float = 0.1,
        polls: float = 0.5,
    ) -> None:
        self.book = Book()
        self._port = port
        self._sink = sink
        self._flows = flows
        self._pause = pause
        self._polls = polls
        self._seen: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(random.Random(f"{seed}/{number}"), number))
            for number in range(callers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> Book:
        """Call no more; returns what there is to know."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        return self.book

    def _call(self, choice: random.Random, caller: int) -> None:
        for number in range(MOST_RUNS // len(self._threads)):
            if self._stop.wait(choice.random() * self._pause):
                return
            self._trigger(choice.choice(self._flows), f"{caller}-{number}")
            if self.book.accepted and choice.random() < self._polls:
                self._poll(choice.choice(list(self.book.ids)))

    def _trigger(self, flow: str, tag: str) -> None:
        try:
            answer = self._client.trigger(flow, sink=self._sink, tag=tag)
        except BROKEN as error:
            with self._lock:
                self.book.broken[tag] = repr(error)
            return
        with self._lock:
            self._note(flow, tag, answer)

    def _note(self, flow: str, tag: str, answer: Answer) -> None:
        if answer.outcome == (200, 0):
            self.book.accepted[tag] = flow, answer.run_id
        elif answer.outcome == BUSY and "retry-after" in answer.headers:
            self.book.refused[tag] = answer.message
            if answer.envelope["result"] is not None:
                self.book.strange.append(f"a refusal has a result: {answer}")
        else:
            self.book.strange.append(f"trigger: {answer}")

    def _poll(self, run_id: str) -> None:
        try:
            answer = self._client.poll(run_id)
        except BROKEN:
            return
        if answer.outcome == BUSY:
            return
        with self._lock:
            self._compare(run_id, answer)

    def _compare(self, run_id: str, answer: Answer) -> None:
        status = answer.headers.get("juggle-flow-status", "")
        before, body = self._seen.get(run_id, ("INIT", b""))
        is_same = ORDER[before] < 2 or (before, body) == (status, answer.body)
        # Two callers may look at once: only what is final cannot be overtaken.
        if answer.status != 200 or status not in ORDER or not is_same:
            self.book.strange.append(f"poll of {run_id} ({before}, {body!r}): {answer}")
        elif ORDER[before] <= ORDER[status]:
            self._seen[run_id] = status, answer.body

    @property
    def _client(self) -> Client:
        return Client(self._port(), TOKEN)

    def __repr__(self) -> str:
        book = self.book
        counts = Counter(flow for flow, _ in book.accepted.values())
        return f"{dict(counts)} refused {len(book.refused)} broken {len(book.broken)}"
