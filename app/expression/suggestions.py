"""The word somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

_LONGEST_WORD = 64
_MOST_CANDIDATES = 50
_NEAR = 0.76
"""Just above the likeness of ``print`` and ``int``."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to ``word``, letter case aside; cheap whatever the words are."""
    if len(word) > _LONGEST_WORD:
        return None
    candidates = islice((name for name in known if len(name) <= _LONGEST_WORD), _MOST_CANDIDATES)
    folded = {_folded(name): name for name in candidates}
    near = difflib.get_close_matches(_folded(word), folded, n=1, cutoff=_NEAR)
    return folded[near[0]] if near else None


def _folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
