"""Random flows, as a file would have them: they pass the checks because of how they are written.

All numbers are small and not negative, every variable has a value from the start, and results are
read with ``default``. So a flow fails only where it is told to: at what it reaches outside, by
``fail``, by a ``check``, by a loop that gives up or a wait that is too long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import yaml
from hypothesis import strategies as st

from tests.engine.author import Author, Flavour, Raw
from tests.engine.verbs import BLOCKS, LEAVES

MOST_STEPS = 30


def dump(raw: Raw) -> str:
    """A flow as a file has it."""
    return str(yaml.dump(raw, Dumper=yaml.CSafeDumper, sort_keys=False, width=1_000))


@dataclass(frozen=True)
class Flows:
    """A program: the flow ``test/v1`` and those it calls, by name; ``flavour`` is of all."""

    flows: Mapping[str, Raw]
    flavour: Flavour

    @cached_property
    def texts(self) -> dict[str, str]:
        """The files."""
        return {name: dump(raw) for name, raw in self.flows.items()}

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
        author = Author(draw, flavour, (LEAVES, BLOCKS), tuple(flows), most=6)
        flows[f"sub{number}/v1"] = author.flow({"n": "integer"}, {"n": "integer"})
    author = Author(draw, flavour, (LEAVES, BLOCKS), tuple(flows), most=MOST_STEPS)
    top = author.flow({}, dict.fromkeys("xyz", "integer"))
    return Flows({"test/v1": top, **flows}, flavour)
