"""The limits of an input: ``min``, ``max``, ``enum`` and their like, as checks after its type."""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from marshmallow import ValidationError

from app.expression import Issue
from app.language.fields import String, issue, validation_error
from app.language.flow import Input, Reader, Readers
from app.language.inputs import READERS, read, read_parts, unfit

Rule = Callable[[Any, Readers], Any]
"""Reads or checks a value; what is inside of it is read by the readers it is given."""

_LIMITS: Mapping[str, tuple[str, ...]] = {
    "min": ("integer", "number", "date"),
    "max": ("integer", "number", "date"),
    "pattern": ("string",),
    "max_length": ("string", "list"),
    "items": ("list",),
    "properties": ("object",),
}
"""Key → the types it belongs to; ``enum`` belongs to all."""

MAX_MATCHED = 10_000
"""Longest text that is matched against a ``pattern``."""


def value_issues(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is wrong with an input whose keys are all right: the key, and marshmallow's messages."""
    kind = data["type"]
    for key, types in _LIMITS.items():
        if key in data and kind not in types:
            yield key, [_misplaced(key, types, kind)]
    if data.get("required") and "default" in data:
        hint = "drop `required`, or drop `default`"
        yield "required", [issue("required-default", "an input with a default is optional", hint)]
    for key in ("min", "max"):
        if key in data and kind in _LIMITS[key]:
            yield from ((key, [found]) for found in _unread(kind, data[key]))
    for index, value in enumerate(data.get("enum", ())):
        yield from (("enum", {index: [found]}) for found in _unread(kind, value))


def _misplaced(key: str, types: tuple[str, ...], kind: str) -> Issue:
    own = [f"`{limit}`" for limit, fitting in _LIMITS.items() if kind in fitting]
    hint = f"`{key}` is for {', '.join(types)}" + (f"; {kind} has {', '.join(own)}" if own else "")
    return issue("misplaced-limit", f"`{key}` does not fit the type {kind}", hint)


def _unread(kind: str, value: Any) -> Iterator[Issue]:
    try:
        READERS[kind](value)
    except ValueError as error:
        yield issue("wrong-type", str(error))


def default_of(rule: Rule, value: Any) -> Any:
    """The default as callers would have to send it.

    Raises:
        ValidationError: it is not of the input's type, or outside its limits.
    """
    try:
        return rule(value, READERS)
    except ValueError as error:
        found = issue("bad-default", f"the default does not fit: {error}")
        raise ValidationError({"default": [found]}) from None


def limited(data: Mapping[str, Any]) -> Rule:
    """The reader of the type, then one check for each limit that the input declares."""
    kind = data["type"]
    checks = [make(data[key], READERS[kind]) for key, make in _CHECKS.items() if key in data]

    def rule(value: Any, readers: Readers) -> Any:
        typed = readers[kind](value)
        for check in checks:
            typed = check(typed, readers)
        return typed

    return rule


def _refuse_unless(holds: Callable[[Any], bool], sentence: str) -> Rule:
    def check(value: Any, _: Readers) -> Any:
        if not holds(value):
            raise unfit(f"expected {sentence}", value)
        return value

    return check


def _at_least(low: Any, base: Reader) -> Rule:
    bound = base(low)
    return _refuse_unless(lambda value: value >= bound, f"at least {low}")


def _at_most(high: Any, base: Reader) -> Rule:
    bound = base(high)
    return _refuse_unless(lambda value: value <= bound, f"at most {high}")


def _max_length(size: int, _: Reader) -> Rule:
    return _refuse_unless(lambda value: len(value) <= size, f"a length of at most {size}")


def _matches(pattern: re.Pattern[str], _: Reader) -> Rule:
    def holds(text: str) -> bool:
        return len(text) <= MAX_MATCHED and pattern.fullmatch(text) is not None

    return _refuse_unless(holds, f"text that matches {pattern.pattern}")


def _one_of(values: list[Any], base: Reader) -> Rule:
    allowed = [base(value) for value in values]
    return _refuse_unless(lambda value: value in allowed, f"one of {', '.join(map(str, values))}")


def _each_item(item: Input, _: Reader) -> Rule:
    def check(values: list[Any], readers: Readers) -> list[Any]:
        return read_parts(
            (index, partial(read, item, value, readers)) for index, value in enumerate(values)
        )

    return check


def _each_property(properties: Mapping[str, Input], _: Reader) -> Rule:
    def check(value: dict[str, Any], readers: Readers) -> dict[str, Any]:
        typed = read_parts(
            (name, partial(read, spec, value.get(name), readers))
            for name, spec in properties.items()
        )
        return {**value, **dict(zip(properties, typed, strict=True))}

    return check


_CHECKS: Mapping[str, Callable[[Any, Reader], Rule]] = {
    "enum": _one_of,
    "min": _at_least,
    "max": _at_most,
    "max_length": _max_length,
    "pattern": _matches,
    "items": _each_item,
    "properties": _each_property,
}


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
            hint = "write it so that no `*`, `+`, `{n,}` or unclear `|` is inside another repeat"
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
