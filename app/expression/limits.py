"""What one expression may use. Each bound is held before the work is done, not after."""

from __future__ import annotations

from app import strict_json

MAX_SOURCE = 4_000
"""Characters of one expression."""

MAX_NESTING = 50
"""How deep the parts of one expression stand inside each other; ``a.b.c`` counts three."""

MAX_PROBLEMS = 20
"""Problems that are reported for one expression; one bad habit can fill a page."""

MAX_TEXT = 1_000_000
"""Characters of a text that an expression makes, or that a function takes."""

MAX_ITEMS = 100_000
"""Items of a list that an expression makes."""

MAX_INTEGER = 10**strict_json.MAX_DIGITS - 1
"""The largest whole number, so that whatever is computed can be read back as JSON."""

MAX_WORK = 1_000_000
"""Units of work of one evaluation; a unit takes 50 to 100 ns (see ``runtime/evaluation.py``)."""

WORK_PER_ROUND = 10
"""Units that one round of a comprehension costs besides its parts: at most 100,000 rounds."""

WORK_PER_CALL = 10
"""Units that a function call in a comprehension costs each round."""
