"""One evaluation under way, and what it may still spend.

What a piece of source can cost by itself is bounded by its length. What depends on the size of
data — a round of a comprehension, an item to compare, a character to copy — is paid for in units
*before* it is done, so hostile data runs out of units, not the process out of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import length_hint
from typing import Any

from app.expression.limits import MAX_WORK
from app.expression.runtime.faults import Fault
from app.expression.scope import Scope

CHARACTERS_PER_UNIT = 16
"""Characters that are copied, searched or changed for one unit."""

Loop = tuple[str, int, int, int, int, int]
"""One ``for``: its variable, its line, and the columns ``a, b, c, d``: the variable is known in
``a`` to ``c``, before the first ``for``, and in ``b`` to ``d``, after the list of its own."""


class Evaluation:
    """The scope of one evaluation, its remaining units of work, and its loops."""

    __slots__ = ("loops", "scope", "work")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.work = MAX_WORK
        self.loops: dict[Loop, tuple[list[Any], Iterator[Any]]] = {}
        """Each loop that has begun, with its list and the iterator that goes over it."""

    def variable(self, name: str, line: int, column: int) -> tuple[()] | tuple[Any]:
        """The value of a variable at the place where evaluating stopped; empty if it is none there.

        The frame of the compiled code cannot tell: from Python 3.12 on, it forgets the variables of
        a comprehension that an error leaves.
        """
        loops = [loop for loop in self.loops if _knows(loop, name, line, column)]
        if not loops:
            return ()
        items, rounds = self.loops[max(loops)]  # the innermost: the one that begins last
        return (items[-1 - length_hint(rounds)],)

    def spend(self, units: int) -> None:
        """Pay for work to come.

        Raises:
            Fault: not enough is left.
        """
        self.work -= units
        if self.work < 0:
            raise Fault("this is too much work for one expression: there is too much data")

    def spend_text(self, characters: int) -> None:
        """Pay for going over a text once."""
        self.spend(characters // CHARACTERS_PER_UNIT)


def _knows(loop: Loop, name: str, line: int, column: int) -> bool:
    a, b, c, d = loop[2:]
    return loop[:2] == (name, line) and (a <= column < c or b <= column < d)
