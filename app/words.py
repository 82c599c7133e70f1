"""Guessing which word an author meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_WORD = 64


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.7) -> str | None:
    """The known word most like ``word``, letter case aside, or ``None`` if none is like it.

    ``likeness`` is the least ratio of equal letters, from 0 to 1. Long words are not compared.
    """
    if len(word) > _LONGEST_WORD:
        return None
    folded = {name.lower(): name for name in known if len(name) <= _LONGEST_WORD}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=likeness)
    return folded[near[0]] if near else None
