"""The limits of an input: ``min``, ``max``, ``enum`` and their like, as checks after its type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from marshmallow import ValidationError

from app.expression import Problem
from app.spec.fields import describe, problem
from app.spec.inputs import READERS, Reader, article
from app.spec.model import Input

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


def misfits(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is wrong with an input whose keys are all right: the key, and marshmallow's messages."""
    kind = data["type"]
    for key, types in _LIMITS.items():
        if key in data and kind not in types:
            yield key, [_misplaced(key, types, kind)]
    if data.get("required") and "default" in data:
        hint = "drop `required`, or drop `default`"
        yield "required", [problem("required-default", "an input with a default is optional", hint)]
    for key in ("min", "max"):
        if key in data and kind in _LIMITS[key]:
            yield from ((key, [found]) for found in _unread(kind, data[key]))
    for index, value in enumerate(data.get("enum", ())):
        yield from (("enum", {index: [found]}) for found in _unread(kind, value))


def _misplaced(key: str, types: tuple[str, ...], kind: str) -> Problem:
    own = [f"`{limit}`" for limit, fitting in _LIMITS.items() if kind in fitting]
    hint = f"`{key}` is for {', '.join(types)}" + (f"; {kind} has {', '.join(own)}" if own else "")
    return problem("misplaced-limit", f"`{key}` does not fit the type {kind}", hint)


def _unread(kind: str, value: Any) -> Iterator[Problem]:
    try:
        READERS[kind](value)
    except ValueError as error:
        yield problem("wrong-type", str(error))


def default_of(read: Reader, value: Any) -> Any:
    """The default as callers would have to send it.

    Raises:
        ValidationError: it is not of the input's type, or outside its limits.
    """
    try:
        return read(value)
    except ValueError as error:
        found = problem("bad-default", f"the default does not fit: {error}")
        raise ValidationError({"default": [found]}) from None


def limited(data: Mapping[str, Any]) -> Reader:
    """The reader of the type, then one check for each limit that the input declares."""
    base = READERS[data["type"]]
    checks = [make(data[key], base) for key, make in _CHECKS.items() if key in data]
    if not checks:
        return base

    def read(value: Any) -> Any:
        typed = base(value)
        for check in checks:
            typed = check(typed)
        return typed

    return read


def _refuse_unless(holds: Callable[[Any], bool], sentence: str) -> Reader:
    def check(value: Any) -> Any:
        if not holds(value):
            raise ValueError(f"expected {sentence}, got {describe(value)}")
        return value

    return check


def _at_least(low: Any, base: Reader) -> Reader:
    bound = base(low)
    return _refuse_unless(lambda value: value >= bound, f"at least {low}")


def _at_most(high: Any, base: Reader) -> Reader:
    bound = base(high)
    return _refuse_unless(lambda value: value <= bound, f"at most {high}")


def _max_length(size: int, _: Reader) -> Reader:
    return _refuse_unless(lambda value: len(value) <= size, f"a length of at most {size}")


def _matches(pattern: re.Pattern[str], _: Reader) -> Reader:
    def holds(text: str) -> bool:
        return len(text) <= MAX_MATCHED and pattern.fullmatch(text) is not None

    return _refuse_unless(holds, f"text that matches {pattern.pattern}")


def _one_of(values: list[Any], base: Reader) -> Reader:
    allowed = [base(value) for value in values]
    return _refuse_unless(lambda value: value in allowed, f"one of {', '.join(map(str, values))}")


def _each_item(item: Input, _: Reader) -> Reader:
    def check(values: list[Any]) -> list[Any]:
        return [_named(f"[{index}]", item, value) for index, value in enumerate(values)]

    return check


def _each_property(properties: Mapping[str, Input], _: Reader) -> Reader:
    def check(value: dict[str, Any]) -> dict[str, Any]:
        typed = {name: _property(name, spec, value.get(name)) for name, spec in properties.items()}
        return {**value, **typed}

    return check


def _property(name: str, spec: Input, value: Any) -> Any:
    if value is not None:
        return _named(f".{name}", spec, value)
    if spec.required:
        raise ValueError(f".{name}: missing; expected {article(spec.type)}")
    return spec.default


def _named(where: str, spec: Input, value: Any) -> Any:
    try:
        return spec.read(value)
    except ValueError as error:
        text = str(error)
        raise ValueError(f"{where}{'' if text.startswith(('.', '[')) else ': '}{text}") from None


_CHECKS: Mapping[str, Callable[[Any, Reader], Reader]] = {
    "enum": _one_of,
    "min": _at_least,
    "max": _at_most,
    "max_length": _max_length,
    "pattern": _matches,
    "items": _each_item,
    "properties": _each_property,
}
