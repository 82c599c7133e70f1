"""The marshmallow fields that flow files are made of, and the mistakes they report.

A field raises :class:`marshmallow.ValidationError` whose messages are :class:`Problem` objects:
they carry a code, a hint and the place in the scalar, which the loader turns into line and column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema

from app.expression import (
    Compiled,
    ExpressionSyntaxError,
    Problem,
    compile_expression,
    compile_template,
)
from app.spec.diagnostics import did_you_mean

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
MAX_DURATION = 24 * 3600.0
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)")


def problem(code: str, message: str, hint: str | None = None) -> Problem:
    """A problem about a value as a whole (``length`` 0)."""
    return Problem(code=code, message=message, offset=0, length=0, hint=hint, path=())


def mistake(code: str, message: str, hint: str | None = None) -> ValidationError:
    """The same, as the error that a field raises."""
    return ValidationError([problem(code, message, hint)])


def describe(value: Any) -> str:
    """How a person would call a raw YAML or JSON value: ``the text "abc"``, ``a list`` …"""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{value}"' if len(value) <= 60 else f'the text "{value[:60]}…"'
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else f"the number {value}"


class StrictSchema(Schema):
    """A mapping whose unknown keys are errors with a "did you mean".

    ``MISPLACED`` maps keys that people write here by habit to the sentence that helps them.
    """

    MISPLACED: Mapping[str, str] = {}

    class Meta:
        unknown = EXCLUDE

    error_messages = {"type": "expected an object of `key: value` lines"}  # noqa: RUF012

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _refuse_unknown_keys(self, _: Any, original: Any, **__: Any) -> None:
        if not isinstance(original, dict):
            return
        known = {field.data_key or name for name, field in self.fields.items()}
        wrong = [key for key in original if key not in known]
        if wrong:
            raise ValidationError({key: [self._unknown_key(key, known)] for key in wrong})

    def _unknown_key(self, key: str, known: set[str]) -> Problem:
        near = did_you_mean(key, known)
        hint = self.MISPLACED.get(key) or (
            f"write `{near}` instead" if near else f"known here: {', '.join(sorted(known))}"
        )
        return problem("unknown-key", f"unknown key `{key}`", hint)


class Text(fields.String):
    """A text; a number is refused with the advice to quote it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, str):
            return value
        raise mistake("wrong-type", f"expected text, got {describe(value)}", _quote_hint(value))


def _quote_hint(value: Any) -> str | None:
    return None if isinstance(value, dict | list) or value is None else "write it in quotes"


class Flag(fields.Field[bool]):
    """``true`` or ``false``, and nothing that only looks like it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise mistake(
            "wrong-type",
            f"expected true or false, got {describe(value)}",
            "write `true` or `false`",
        )


class Whole(fields.Field[int]):
    """A whole number between ``low`` and ``high``."""

    def __init__(self, low: int, high: int, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = low, high

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        ):
            return value
        wanted = f"a whole number from {self.low} to {self.high}"
        raise mistake("wrong-type", f"expected {wanted}, got {describe(value)}")


class Duration(fields.Field[float]):
    """``200ms``, ``5s``, ``10m``, ``2h``; in seconds once read."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            hint = f"write `{value}s`" if isinstance(value, int | float) else "write `5s`"
            raise mistake(
                "bad-duration",
                f"expected a duration like 200ms, 5s, 10m or 2h, got {describe(value)}",
                hint,
            )
        seconds = float(match[1]) * SECONDS[match[2]]
        if not 0 < seconds <= MAX_DURATION:
            raise mistake("bad-duration", f"a duration is more than 0 and at most 24h, not {value}")
        return seconds


class Choice(fields.Field[str]):
    """One of a few words."""

    def __init__(self, words: tuple[str, ...], **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        near = did_you_mean(value, self.words) if isinstance(value, str) else None
        raise mistake(
            "bad-choice",
            f"expected one of {', '.join(self.words)}, got {describe(value)}",
            f"write `{near}` instead" if near else None,
        )


class Condition(fields.Field[Compiled]):
    """A bare expression, as in ``if`` and ``when``."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Compiled:
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            raise mistake(
                "wrong-type",
                f"expected an expression, got {describe(value)}",
                "write a condition like `inputs.age >= 18`",
            )
        return _compiled(compile_expression, value)


class Template(fields.Field[Compiled]):
    """Any value, whose texts may hold ``${expression}``."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Compiled:
        return _compiled(compile_template, value)


class TextTemplate(Template):
    """A text that may hold ``${expression}``."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Compiled:
        if not isinstance(value, str):
            raise mistake("wrong-type", f"expected text, got {describe(value)}", _quote_hint(value))
        return super()._deserialize(value, *args, **options)


class ObjectTemplate(Template):
    """An object whose values may hold ``${expression}``."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Compiled:
        if not isinstance(value, dict):
            raise mistake(
                "wrong-type",
                f"expected an object of `name: value` lines, got {describe(value)}",
            )
        return super()._deserialize(value, *args, **options)


@dataclass(frozen=True, slots=True)
class Assignments:
    """An object whose keys are names that the flow gives values to."""

    names: tuple[str, ...]
    values: Compiled


class AssignmentsTemplate(ObjectTemplate):
    """An object template that remembers its keys."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Assignments:  # type: ignore[override]
        return Assignments(values=super()._deserialize(value, *args, **options), names=tuple(value))


def _compiled(compiler: Callable[[Any], Compiled], value: Any) -> Compiled:
    try:
        return compiler(value)
    except ExpressionSyntaxError as error:
        raise ValidationError(list(error.problems)) from None
