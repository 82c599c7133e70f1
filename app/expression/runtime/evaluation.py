"""One evaluation under way, and what it may still spend.

What a piece of source can cost by itself is bounded by its length. What depends on the size of
data — a round of a comprehension, an item to compare, a character to copy — is paid for in units
*before* it is done, so hostile data runs out of units, not the process out of time.
"""

from __future__ import annotations

from app.expression.limits import MAX_WORK
from app.expression.runtime.faults import Fault
from app.expression.scope import Scope

CHARACTERS_PER_UNIT = 16
"""Characters that are copied, searched or changed for one unit."""


class Evaluation:
    """The scope of one evaluation and its remaining units of work."""

    __slots__ = ("scope", "work")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.work = MAX_WORK

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
