"""What a value has against its declared type: every misfit with its path, told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from app.language.fields import describe
from app.strict_json import dumps

MAX_MISFITS = 20
"""Misfits of one value that are told; the others are counted."""

_UNTOLD = object()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ValueIssue:
    """One thing wrong in a value. ``path`` leads to it from the value: ``.address.zip``,
    ``[3].id``, or empty for the value itself. ``got`` is what stands there.
    """

    wanted: str
    got: Any = _UNTOLD
    path: str = ""

    def sentence(self, mask: Callable[[str], str] = str) -> str:
        """What was expected and, shortened, what came; texts of it pass through ``mask`` before."""
        if self.got is _UNTOLD:
            return self.wanted
        got = mask(self.got) if isinstance(self.got, str) else self.got
        return f"{self.wanted}, got {describe(got)}"


class InvalidValue(ValueError):
    """A value is not of its declared type, or outside of its limits.

    ``misfits`` are at most :data:`MAX_MISFITS`; there are ``more`` that they do not tell.
    """

    def __init__(self, misfits: Sequence[ValueIssue], more: int = 0) -> None:
        super().__init__()
        self.misfits = tuple(misfits)
        self.more = more

    def __str__(self) -> str:
        return "; ".join(self.sentences())

    def sentences(self, mask: Callable[[str], str] = str) -> Iterator[str]:
        """A sentence for each misfit, which begins with its path."""
        for misfit in self.misfits:
            sentence = misfit.sentence(mask)
            yield f"{misfit.path}: {sentence}" if misfit.path else sentence
        if self.more:
            yield f"and {self.more} more"


def unfit(wanted: str, got: Any = _UNTOLD) -> InvalidValue:
    """The error for a value that is wrong as a whole."""
    return InvalidValue([ValueIssue(wanted, got)])


def read_parts(parts: Iterable[tuple[str | int, Callable[[], T]]]) -> list[T]:
    """What the parts of a list or an object are read as; a part is its key and its reader.

    Raises:
        Unfit: the misfits of all parts, with their paths.
    """
    found: list[T] = []
    misfits: list[ValueIssue] = []
    more = 0
    for key, read in parts:
        try:
            found.append(read())
        except InvalidValue as error:
            room = MAX_MISFITS - len(misfits)
            step = _step(key)
            misfits += [replace(each, path=step + each.path) for each in error.misfits[:room]]
            more += error.more + max(0, len(error.misfits) - room)
    if misfits:
        raise InvalidValue(misfits, more)
    return found


def _step(key: str | int) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{key if isinstance(key, int) else dumps(key)}]"
