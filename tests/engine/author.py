"""Writes random flows, step by step: what may stand where, and what can be read there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

Raw = dict[str, Any]
"""A step, or a flow, before it is read."""

DEEPEST = 4
DEEPEST_HANDLER = 8
"""Below these are no blocks, and no handlers: a file may be 50 levels deep."""
KINDS = (*["good"] * 6, "odd", "bad")
"""What is outside does: answer, fail when the number it is given is odd, fail."""

SHORT = ("set", "if", "switch", "for_each", "try", "check", "log", "fail", "return", "sql")
"""What may stand in a transaction."""


@dataclass(frozen=True)
class Place:
    """What steps may do where they stand.

    ``vars`` may be read and set, ``seen`` only read; ``results`` are expressions for what steps
    before gave. Nothing ``calm`` fails or ends the flow. ``in_transaction`` nothing has an effect
    but ``sql``, and nothing waits.
    """

    vars: tuple[str, ...]
    seen: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    depth: int = 0
    calm: bool = False
    in_transaction: bool = False

    def inside(self, *seen: str) -> Place:
        """A block at this place."""
        return replace(self, depth=self.depth + 1, seen=(*self.seen, *seen))


@dataclass
class Written:
    """A step, what can be read behind it, and what its handler may find besides."""

    step: Raw
    results: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


Writer = Callable[["Author", Place], Written]
"""Writes one step of a verb."""


@dataclass(frozen=True)
class Flavour:
    """Which of the things that do not go together a program may do.

    ``parks``: it waits so long that it is put down. Then its branches are calm, as it would be a
    question of time which of them ends the flow. ``races``: branches of which the first wins.
    """

    parks: bool = False
    races: bool = False
    retryable: bool = False


class Author:
    """Writes one flow, which may call others and has up to so many steps that hold no others."""

    def __init__(
        self,
        draw: st.DrawFn,
        flavour: Flavour,
        verbs: tuple[Mapping[str, Writer], Mapping[str, Writer]],
        callees: tuple[str, ...],
        most: int,
    ) -> None:
        """``verbs`` are those without steps inside, and those with."""
        self.draw = draw
        self.flavour = flavour
        self.leaves, self.blocks = verbs
        self.favourite = draw(st.sampled_from(["transaction", "transaction", *self.blocks]))
        """Stands in this flow more often than others, so that much comes of it."""
        self.callees = callees
        self.left = most
        self.naps = 2
        self.numbers = itertools.count(1)

    def flow(self, inputs: Raw, outputs: Raw) -> Raw:
        """A whole flow with these inputs and outputs."""
        self.outputs = tuple(outputs)
        seen = tuple(f"inputs.{name}" for name in inputs)
        place = Place(("x", "y", "z"), seen)
        begin = {"set": {"x": f"${{{seen[0]}}}" if seen else 1, "y": 2, "z": 3}}
        steps, place = self.block(place)
        return {
            "mode": "async",
            "timeout": "20h",
            "retryable": self.flavour.retryable,
            "inputs": inputs,
            "outputs": outputs,
            "steps": [begin, *steps, {"return": self.everything(place)}],
        }

    def answer(self, place: Place, names: tuple[str, ...]) -> Raw:
        """Values for outputs."""
        return {name: f"${{{self.number(place)}}}" for name in names}

    def everything(self, place: Place) -> Raw:
        """Outputs that depend on all that can be read."""
        sums = [f"vars.{name}" for name in place.vars]
        sums[0] = " + ".join([sums[0], *place.results])
        if len(self.outputs) == 1:
            sums = [" + ".join(sums)]
        return {name: f"${{({each}) % 997}}" for name, each in zip(self.outputs, sums, strict=True)}

    def flip(self, one_in: int) -> bool:
        """Whether to do something that is done once in so many times."""
        return self.draw(st.integers(1, one_in)) == one_in

    def name(self, prefix: str) -> str:
        """A name that no other has."""
        return f"{prefix}{next(self.numbers)}"

    # Expressions

    def number(self, place: Place) -> str:
        """An expression for a number."""
        sources = [*(f"vars.{name}" for name in place.vars), *place.seen, *place.results]
        first = self.draw(st.sampled_from(["7", *sources]))
        if self.flip(2):
            return first
        return f"({first} * 3 + {self.draw(st.sampled_from(['1', *sources]))}) % 997"

    def condition(self, place: Place) -> str:
        """An expression for a truth."""
        return self.draw(st.sampled_from(["true", "false", f"{self.number(place)} % 2 == 0"]))

    def asking(self, place: Place, name: str, *more: str) -> str:
        """What is asked outside: ``/<run>/<kind>-<name>-<number>-<uuid>``."""
        kind = "good" if place.calm else self.draw(st.sampled_from([*KINDS, *more]))
        return f"/${{flow.instanceId}}/{kind}-{name}-${{{self.number(place)}}}-${{uuid()}}"

    # Steps

    def block(self, place: Place) -> tuple[list[Raw], Place]:
        """Some steps, at least one, and the place behind them."""
        steps = []
        for _ in range(self.draw(st.integers(1, 4) if place.depth else st.integers(4, 10))):
            written = self.step(place)
            steps.append(written.step)
            place = replace(place, results=(*place.results, *written.results))
        return steps, place

    def step(self, place: Place) -> Written:
        """One step of any verb that may stand here, with any of the keys that all share."""
        self.left -= 1
        is_leaf = self.left <= 0 or place.depth >= DEEPEST
        writers = self.leaves if is_leaf else {**self.leaves, **self.blocks}
        verbs = [verb for verb in writers if self.may(verb, place)]
        if not is_leaf and self.favourite in verbs and self.flip(3):
            verbs = [self.favourite]
        verb = self.draw(st.sampled_from(verbs))
        written = writers[verb](self, place)
        if self.flip(5) and "when" not in written.step:
            written.step["when"] = self.condition(place)
        if self.flip(2 if verb in ("sql", "transaction", "clash") else 3) and verb != "late":
            self.on_error(written, place)
        return written

    def may(self, verb: str, place: Place) -> bool:
        """Whether a verb may stand here."""
        if place.in_transaction and verb not in SHORT:
            return False
        if verb == "set":
            return bool(place.vars)
        if verb in ("return", "fail", "late"):
            return not place.calm and place.depth > 0
        if verb == "race":
            return self.flavour.races
        if verb == "call":
            return bool(self.callees) and not place.calm
        if verb == "clash":
            return not place.calm
        return True

    def on_error(self, written: Written, place: Place) -> None:
        """Handle what goes wrong in a step."""
        if self.flip(3) or place.depth >= DEEPEST_HANDLER:
            written.step["on_error"] = "continue"
            return
        seen = (
            "len(error.kind)",
            "error.code",
            "len(error.step)",
            "default(len(error.message), 0) * 0",
        )
        handler = replace(place.inside(*seen), results=(*place.results, *written.leftovers))
        written.step["on_error"] = self.block(handler)[0]

    def branch(self, place: Place) -> Place:
        """The place inside of a branch."""
        return replace(place, calm=place.calm or self.flavour.parks)

    def limited(self, step: Raw) -> Raw:
        """The step, perhaps with a ``timeout`` that is never reached."""
        return {**step, "timeout": "1h"} if self.flip(5) else step

    def named(
        self, step: Raw, name: str = "", result: str = "", leftovers: tuple[str, ...] = ()
    ) -> Written:
        """The step, with the id that its result is read by."""
        step = {"id": name, **step} if name else step
        return Written(step, (result,) if result else (), leftovers)
