"""What one expression may use. Each limit is checked before the work is done, not after.

The cost of a source without data is limited by its length. Work that grows with data (a round of a
comprehension, an item to compare, a character to copy) is paid for in units of an ``Evaluation``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app import strict_json
from app.expression.errors import Fault
from app.expression.scope import Scope

MAX_SOURCE = 4_000
"""Characters of one expression."""

MAX_NESTING = 50
"""How deep the parts of one expression are nested; ``a.b.c`` counts three."""

MAX_ISSUES = 20
"""Issues that are reported for one expression; one bad habit can fill a page."""

MAX_TEXT = 1_000_000
"""Characters of a text that an expression makes, or that a function takes."""

MAX_ITEMS = 100_000
"""Items of a list that an expression makes."""

MAX_INTEGER = 10**strict_json.MAX_DIGITS - 1
"""The largest whole number, so that whatever is computed can be read back as JSON."""

MAX_WORK = 1_000_000
"""Units of work of one evaluation; a unit takes 50 to 100 ns."""

WORK_PER_CALL = 10
"""Units of one round of a comprehension, and of one function call in it, without the parts."""

_CHARACTERS_PER_UNIT = 16
"""Characters that are copied, searched or changed for one unit."""


Loop = tuple[str, int, int, int, int, int]
"""One ``for``: its variable, its line, and the columns ``a, b, c, d``. The variable is known from
``a`` to ``c``, the first ``for``, and from ``b``, the end of its own list, to ``d``."""


class Evaluation:
    """The scope of one evaluation, the units of work it has left, and its loops."""

    __slots__ = ("loops", "scope", "work")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.work = MAX_WORK
        self.loops: dict[Loop, tuple[list[Any], Iterator[Any]]] = {}
        """Each loop that has begun, with its list and the iterator that goes over it."""

    def spend(self, units: int) -> None:
        """Pay for work to come.

        Raises:
            Fault: not enough units are left.
        """
        self.work -= units
        if self.work < 0:
            raise Fault("this is too much work for one expression: there is too much data")

    def spend_text(self, characters: int) -> None:
        """Pay for reading a text once."""
        self.spend(characters // _CHARACTERS_PER_UNIT)

    def new_text(self, characters: int) -> None:
        """Check and pay for a text that is about to be made."""
        check_text(characters)
        self.spend(characters // _CHARACTERS_PER_UNIT)

    def new_list(self, items: int) -> None:
        """Check and pay for a list that is about to be made."""
        if items > MAX_ITEMS:
            raise Fault(f"the list would be longer than {MAX_ITEMS:,} items")
        self.spend(items)


def check_text(characters: int) -> None:
    """Refuse a text that would be longer than :data:`MAX_TEXT` characters."""
    if characters > MAX_TEXT:
        raise Fault(f"the text would be longer than {MAX_TEXT:,} characters")
