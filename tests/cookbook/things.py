"""An API that keeps things, for the recipes that make and undo some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.downstream import Request


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

    def __call__(self, call: Request) -> Any:
        """Answer one request."""
        method, _, target = call.line.partition(" ")
        number = target.rpartition("/")[2]
        if method == "POST":
            return self._post(call)
        if method == "DELETE":
            return {} if self.things.pop(number, None) else (404, {"reason": "nothing there"})
        return self.things.get(number) or (404, {"reason": "nothing there"})

    def _post(self, call: Request) -> Any:
        if call.key is None or call.key not in self._answers:
            made = self._answers[call.key] = self.make(call.json)
            if not isinstance(made, tuple):
                self.made += 1
                self.things[call.json["order"]] = made
        return self._answers[call.key]
