"""Regular expressions that authors write and callers' texts are matched against."""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Iterator
from typing import Any

from marshmallow import ValidationError

from app.expression import Issue
from app.language.fields import String, validation_error


class Pattern(String):
    """A regular expression that cannot take exponential time on any text."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> re.Pattern[str]:  # type: ignore[override]
        text = super()._deserialize(value, *args, **options)
        try:
            pattern, parsed = re.compile(text), sre_parser.parse(text)
        except re.error as error:
            message = f"not a regular expression: {error.msg}"
            found = Issue("bad-pattern", message, offset=error.pos or 0, length=1)
            raise ValidationError([found]) from None
        except (OverflowError, RecursionError):
            raise validation_error("bad-pattern", "the regular expression is too large") from None
        if _is_ambiguous(parsed):
            message = "a repeat inside a repeat can take a caller's text for ever to match"
            hint = (
                "write it so that no `*`, `+`, `{n,}` or unclear `|` stands inside another repeat"
            )
            raise validation_error("slow-pattern", message, hint)
        return pattern


def _is_ambiguous(parsed: Any, *, inside: bool = False) -> bool:
    """Whether a repeat of no fixed number holds another, or a choice of what may begin alike."""
    for operator, argument in parsed:
        is_repeat = operator in (sre.MAX_REPEAT, sre.MIN_REPEAT)
        repeats = is_repeat and argument[1] > max(1, argument[0])
        chooses = operator is sre.BRANCH and not _begin_differently(argument[1])
        if inside and (repeats or chooses):
            return True
        if any(_is_ambiguous(part, inside=inside or repeats) for part in _parts(argument)):
            return True
    return False


def _begin_differently(alternatives: Any) -> bool:
    firsts = [part[0] if len(part) else None for part in alternatives]
    literals = {first[1] for first in firsts if first and first[0] is sre.LITERAL}
    return len(literals) == len(firsts)


def _parts(argument: Any) -> Iterator[Any]:
    """The sub-patterns within an operator's argument."""
    if isinstance(argument, sre_parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _parts(part)
