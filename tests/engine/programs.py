"""Random flows, as a file would have them: they pass the checks because of how they are written.

All numbers are small and not negative, every variable has a value from the start, and results are
read with ``default``. So a flow fails only where it is told to: at a downstream, by ``fail``, by a
loop that gives up or a wait that is too long.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import yaml
from hypothesis import strategies as st

Raw = dict[str, Any]
"""A step, or a flow, before it is read."""

MOST_STEPS = 30
DEEPEST = 4
KINDS = ("good", "good", "good", "odd", "bad")
"""What a downstream does: answer, fail when the number it is given is odd, fail."""


@dataclass(frozen=True)
class Place:
    """What steps may do where they stand.

    ``vars`` may be read and set, ``seen`` only read; ``results`` are expressions for what steps
    before gave. Nothing ``calm`` fails or ends the flow.
    """

    vars: tuple[str, ...]
    seen: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    depth: int = 0
    calm: bool = False

    def inside(self, *seen: str) -> Place:
        """A block at this place."""
        return replace(self, depth=self.depth + 1, seen=(*self.seen, *seen))


@dataclass
class Written:
    """A step, what can be read behind it, and what its handler may find besides."""

    step: Raw
    results: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flavour:
    """Which of the things that do not go together a program may do.

    ``parks``: it waits so long that it is put down. Then its branches are calm, as it would be a
    question of time which of them ends the flow. ``races``: branches of which the first wins.
    """

    parks: bool = False
    races: bool = False
    retryable: bool = False


@dataclass(frozen=True)
class Flows:
    """A program: the flow ``test/v1`` and those it calls, by name; ``flavour`` is of all."""

    flows: Mapping[str, Raw]
    flavour: Flavour

    @cached_property
    def texts(self) -> dict[str, str]:
        """The files."""
        return {name: yaml.safe_dump(raw, sort_keys=False) for name, raw in self.flows.items()}

    def __repr__(self) -> str:
        return "\n".join(f"# {name}\n{text}" for name, text in self.texts.items())


FLAVOURS = st.sampled_from(
    [
        Flavour(),
        Flavour(retryable=True),
        Flavour(parks=True),
        Flavour(parks=True, retryable=True),
        Flavour(races=True, retryable=True),
    ]
)


@st.composite
def programs(draw: st.DrawFn) -> Flows:
    """Up to two flows that are called, and one that calls them."""
    flavour = draw(FLAVOURS)
    flows: dict[str, Raw] = {}
    for number in range(draw(st.integers(0, 2))):
        author = Author(draw, flavour, tuple(flows), most=6)
        flows[f"sub{number}/v1"] = author.flow({"n": "integer"}, {"n": "integer"})
    author = Author(draw, flavour, tuple(flows), most=MOST_STEPS)
    top = author.flow({}, dict.fromkeys("xyz", "integer"))
    return Flows({"test/v1": top, **flows}, flavour)


class Author:
    """Writes one flow."""

    def __init__(
        self, draw: st.DrawFn, flavour: Flavour, callees: tuple[str, ...], most: int
    ) -> None:
        self.draw = draw
        self.flavour = flavour
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
            "steps": [begin, *steps, {"return": self.answer(place, self.outputs)}],
        }

    def answer(self, place: Place, names: tuple[str, ...]) -> Raw:
        """Values for outputs."""
        return {name: f"${{{self.number(place)}}}" for name in names}

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

    # Steps

    def block(self, place: Place) -> tuple[list[Raw], Place]:
        """Some steps, at least one, and the place behind them."""
        steps = []
        for _ in range(self.draw(st.integers(1, 4 if place.depth else 8))):
            written = self.step(place)
            steps.append(written.step)
            place = replace(place, results=(*place.results, *written.results))
        return steps, place

    def step(self, place: Place) -> Written:
        """One step of any verb that may stand here, with any of the keys that all share."""
        self.left -= 1
        is_leaf = self.left <= 0 or place.depth >= DEEPEST
        verbs = [
            verb for verb in (LEAVES if is_leaf else {**LEAVES, **BLOCKS}) if self.may(verb, place)
        ]
        verb = self.draw(st.sampled_from(verbs))
        written = WRITERS[verb](self, place)
        if self.flip(5) and "when" not in written.step:
            written.step["when"] = self.condition(place)
        if self.flip(3) and verb != "late":
            self.on_error(written, place)
        return written

    def may(self, verb: str, place: Place) -> bool:
        """Whether a verb may stand here."""
        if verb == "set":
            return bool(place.vars)
        if verb in ("return", "fail", "late"):
            return not place.calm and place.depth > 0
        if verb == "race":
            return self.flavour.races
        if verb == "call":
            return bool(self.callees) and not place.calm
        return True

    def on_error(self, written: Written, place: Place) -> None:
        """Handle what goes wrong in a step."""
        if self.flip(3):
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

    def http(self, place: Place) -> Written:
        kind = "good" if place.calm else self.draw(st.sampled_from(KINDS))
        name = self.name("r")
        method = self.draw(st.sampled_from(["GET", "POST"]))
        url = f"/${{flow.instanceId}}/{kind}-{name}-${{{self.number(place)}}}-${{uuid()}}"
        step: Raw = {"id": name, "http": f"{method} {url}"}
        if self.flip(4):
            step["retryable"] = True
        if method == "GET" and self.flip(4):
            step["retry"] = {"times": 1, "on": [500], "delay": "1s", "jitter": False}
        if self.flip(6):
            step["timeout"] = "1h"
        return Written(step, (f"default(steps.{name}.body.n, 0)",))

    def set(self, place: Place) -> Written:
        names = self.draw(st.lists(st.sampled_from(place.vars), min_size=1, unique=True))
        return Written({"set": self.answer(place, tuple(names))})

    def log(self, place: Place) -> Written:
        return Written({"log": f"at ${{{self.number(place)}}}"})

    def wait(self, place: Place) -> Written:
        times = ["1s", "5s"] if self.flavour.parks else ["1s"]
        if self.flavour.parks and not place.depth and self.naps:
            self.naps -= 1
            times.append("3h")
        return Written({"wait": self.draw(st.sampled_from(times))})

    def ret(self, place: Place) -> Written:
        names = self.draw(st.lists(st.sampled_from(self.outputs), unique=True))
        if "n" in self.outputs:
            names = ["n"]
        return Written({"return": self.answer(place, tuple(names)), "when": self.condition(place)})

    def fail(self, place: Place) -> Written:
        failure = {"message": f"no ${{{self.number(place)}}}", "code": self.draw(st.integers(1, 9))}
        return Written({"fail": failure, "when": self.condition(place)})

    def late(self, place: Place) -> Written:
        """A wait that cannot end in time, in a block that has a ``timeout``."""
        steps, end = self.block(place.inside())
        step: Raw = {"if": "true", "timeout": "2h", "then": [*steps, {"wait": "3h"}]}
        written = Written(step, leftovers=end.results)
        self.on_error(written, place)
        return written

    def if_(self, place: Place) -> Written:
        then, end = self.block(place.inside())
        step: Raw = {"if": self.condition(place), "then": then}
        if self.flip(2):
            step["else"] = self.block(place.inside())[0]
        return self.named(self.limited(step), leftovers=end.results)

    def switch(self, place: Place) -> Written:
        cases: list[Raw] = []
        for _ in range(self.draw(st.integers(1, 2))):
            then = self.block(place.inside())[0]
            cases.append({"when": self.condition(place), "then": then})
        if self.flip(2):
            cases.append({"else": self.block(place.inside())[0]})
        return Written(self.limited({"switch": cases}))

    def for_each(self, place: Place) -> Written:
        items = self.draw(st.lists(st.integers(0, 9), max_size=3))
        width = self.draw(st.sampled_from([1, 1, 2, 5]))
        inner = place.inside("item", "index")
        begin: list[Raw] = []
        if width > 1:
            own = tuple(self.name("k") for _ in range(3))
            begin = [{"set": {name: f"${{{self.number(inner)}}}" for name in own}}]
            inner = replace(
                inner, vars=own, seen=(*inner.seen, *(f"vars.{name}" for name in place.vars))
            )
            inner = self.branch(inner)
        steps, end = self.block(inner)
        step: Raw = {"for_each": items, "concurrency": width, "steps": [*begin, *steps]}
        if width == 1 and self.flip(2):
            step["for_each"] = f"[{self.number(place)} % 5, 1]"
        if self.flip(2):
            return self.named(self.limited(step))
        step["collect"] = self.number(end)
        name = self.name("r")
        return self.named(self.limited(step), name, f"sum(default(steps.{name}, []))")

    def repeat(self, place: Place) -> Written:
        steps, end = self.block(place.inside("index"))
        until = f"index >= {self.draw(st.integers(0, 2))}"
        plan: Raw = {"until": until, "max": 3 if place.calm else self.draw(st.integers(1, 3))}
        if self.flip(2):
            plan["every"] = "5s" if self.flavour.parks and self.flip(2) else "1s"
        results = tuple(each for each in end.results if each not in place.results)
        written = self.named(self.limited({"repeat": plan, "steps": steps}), leftovers=results)
        return replace(written, results=results)

    def parallel(self, place: Place) -> Written:
        names = ["left", "middle", "right"][: self.draw(st.integers(1, 3))]
        branches = {}
        for number, name in enumerate(names):
            own = place.vars[number :: len(names)]
            others = tuple(f"vars.{each}" for each in place.vars if each not in own)
            inner = place.inside(*others)
            branches[name] = self.block(self.branch(replace(inner, vars=own)))[0]
        return self.branched({"parallel": branches})

    def race(self, place: Place) -> Written:
        names = ["left", "right"][: self.draw(st.integers(1, 2))]
        inner = place.inside()
        return self.branched(
            {"parallel": {n: self.block(inner)[0] for n in names}, "wait": "first"}
        )

    def branched(self, step: Raw) -> Written:
        name = self.name("r")
        return self.named(self.limited(step), name, f"len(to_json(default(steps.{name}, 0)))")

    def branch(self, place: Place) -> Place:
        """The place inside of a branch."""
        return replace(place, calm=place.calm or self.flavour.parks)

    def call(self, place: Place) -> Written:
        name = self.name("r")
        target = self.draw(st.sampled_from(self.callees))
        step = {"call": target, "with": {"n": f"${{{self.number(place)}}}"}}
        return self.named(self.limited(step), name, f"default(steps.{name}.n, 0)")

    def limited(self, step: Raw) -> Raw:
        """The step, perhaps with a ``timeout`` that is never reached."""
        return {**step, "timeout": "1h"} if self.flip(5) else step

    def named(
        self, step: Raw, name: str = "", result: str = "", leftovers: tuple[str, ...] = ()
    ) -> Written:
        """The step, with the id that its result is read by."""
        step = {"id": name, **step} if name else step
        return Written(step, (result,) if result else (), leftovers)


LEAVES: Mapping[str, Callable[[Author, Place], Written]] = {
    "http": Author.http,
    "set": Author.set,
    "log": Author.log,
    "wait": Author.wait,
    "return": Author.ret,
    "fail": Author.fail,
}
BLOCKS: Mapping[str, Callable[[Author, Place], Written]] = {
    "if": Author.if_,
    "switch": Author.switch,
    "for_each": Author.for_each,
    "repeat": Author.repeat,
    "parallel": Author.parallel,
    "race": Author.race,
    "call": Author.call,
    "late": Author.late,
}
"""Who writes which verb. A new verb of the language is one line in one of these, and its function;
and one more in ``tests/engine/reference.py``."""
WRITERS = {**LEAVES, **BLOCKS}
