"""The downstream of all chaos flows: it writes down every effect before it answers."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from types import TracebackType
from typing import Any

from tests.downstream import Downstream, Request

LONGEST_ANSWER = 0.06
"""Seconds. Long enough that many a process dies while it waits for one."""


class Effect:
    """One request that came. ``kind`` is ``effect``, ``refuse``, ``hold`` or ``callback``.

    ``key`` is its ``Idempotency-Key``, ``body`` its JSON.
    """

    def __init__(self, request: Request) -> None:
        self.kind, self.run, self.step = [*request.target.strip("/").split("/"), ""][:3]
        self.key = request.key
        self.body: dict[str, Any] = request.json


class Sink(Downstream):
    """Answers at ``/<kind>/<run>/<step>``; what came to ``hold`` waits until ``opened`` is set."""

    def __init__(self, longest_answer: float = LONGEST_ANSWER) -> None:
        self.opened = threading.Event()
        self._longest_answer = longest_answer
        self._random = random.Random()
        self._left = threading.Event()
        self._effects: list[Effect] = []
        super().__init__(respond=self._remember)

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

    def _remember(self, request: Request) -> Any:
        effect = Effect(request)
        self._effects.append(effect)
        if effect.kind == "hold":
            self.opened.wait(90)
        elif self._longest_answer:
            self._left.wait(self._random.random() * self._longest_answer)
        return (500 if effect.kind == "refuse" else 200), {"number": len(self._effects)}
