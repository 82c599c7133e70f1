"""The marshmallow fields that flow files are made of, and the issues they report.

A field raises :class:`marshmallow.ValidationError` whose messages are :class:`Issue` objects:
they carry a code, a hint and the place in the scalar, which becomes a line and a column later.
The method ``json_schema`` of a field says what it accepts, as JSON Schema of draft 7, which editors
know best; :mod:`app.catalog.editor_schema` makes the whole of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema

from app.durations import duration_pattern, parse_duration
from app.expression import (
    Compiled,
    ExpressionSyntaxError,
    Issue,
    compile_expression,
    compile_template,
)
from app.strict_json import dumps
from app.words import did_you_mean

JsonSchema = dict[str, Any]

STEP_REF: JsonSchema = {"$ref": "#/definitions/step"}
INPUT_REF: JsonSchema = {"$ref": "#/definitions/input"}


def about(sentence: str) -> dict[str, str]:
    """The ``metadata`` of a field: what editors show about its key."""
    return {"description": sentence}


def object_schema(schema: Schema) -> JsonSchema:
    """An object with the keys of a marshmallow schema, and no others."""
    keys = {field.data_key or name: field for name, field in schema.fields.items()}
    found: JsonSchema = {
        "type": "object",
        "properties": {key: field_schema(field) for key, field in keys.items()},
        "additionalProperties": False,
    }
    required = [key for key, field in keys.items() if field.required]
    return {**found, "required": required} if required else found


def field_schema(field: fields.Field[Any]) -> JsonSchema:
    """What one field accepts; ``{}`` is anything."""
    return {**_accepted(field), **field.metadata}


def _accepted(field: fields.Field[Any]) -> JsonSchema:
    describe = getattr(field, "json_schema", None)
    if describe is not None:
        accepted: JsonSchema = describe()
        return accepted
    if isinstance(field, fields.List):
        return {"type": "array", "items": field_schema(field.inner)}
    if isinstance(field, fields.Nested):
        return object_schema(field.schema)
    return {}


DURATION_UNITS = ("ms", "s", "m", "h")
MAX_DURATION = 24 * 3600.0
_TIME_IN_WORDS = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) *([A-Za-z]*)")
_UNITS = {
    "": "s", "sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h",
    "msec": "ms", "milli": "ms", "millisecond": "ms",
}  # fmt: skip
_FLAGS = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}


def issue(code: str, message: str, hint: str | None = None) -> Issue:
    """An issue about a value as a whole (``length`` 0)."""
    return Issue(code=code, message=message, offset=0, length=0, hint=hint, path=())


def validation_error(code: str, message: str, hint: str | None = None) -> ValidationError:
    """The same, as the error that a field raises."""
    return ValidationError([issue(code, message, hint)])


def wrong_type(wanted: str, value: Any, hint: str | None = None) -> ValidationError:
    """The error for a value that is not what was ``wanted``."""
    return validation_error("wrong-type", f"expected {wanted}, got {describe(value)}", hint)


def too_long(seconds: float) -> Issue:
    """What is wrong with a wait in a flow whose runs may take no longer than this."""
    message = f"a run of this flow may take {seconds:g} s in all"
    return issue("too-long", message, "write a longer `timeout` at the top of the flow")


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
    if isinstance(value, list):
        return "a list"
    is_long = isinstance(value, int) and value.bit_length() > 128
    return "a very large number" if is_long else f"the number {value}"


class StrictSchema(Schema):
    """A mapping whose unknown keys are errors with a "did you mean".

    ``MISPLACED`` maps keys that people write here by habit to the sentence that helps them;
    ``EXAMPLE`` says what to write when something else than an object was given. ``RECORD`` is what
    is made of the keys and values, a ``dict`` by default.
    """

    MISPLACED: Mapping[str, str] = {}
    EXAMPLE: str | None = None
    RECORD: type[Any] | None = None

    class Meta:
        unknown = EXCLUDE

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.known = frozenset(field.data_key or name for name, field in self.fields.items())

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _refuse_unknown_keys(self, _: Any, original: Any, **__: Any) -> None:
        if isinstance(original, dict) and not original.keys() <= self.known:
            wrong = [key for key in original if key not in self.known]
            raise ValidationError({key: [self._unknown_key(key)] for key in wrong})

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return data if self.RECORD is None else self.RECORD(**data)

    def _unknown_key(self, key: str) -> Issue:
        return issue("unknown-key", f"unknown key `{key}`", self._instead_of(key))

    def _instead_of(self, key: str) -> str:
        near = did_you_mean(key, self.known)
        if key in self.MISPLACED or near is None:
            return self.MISPLACED.get(key) or f"known here: {', '.join(sorted(self.known))}"
        return f"write `{near}` instead"

    def misspelt(self, data: Mapping[str, Any]) -> frozenset[str]:
        """The keys that unknown ones were probably meant to be."""
        hints = tuple(self._instead_of(key) for key in data if key not in self.known)
        absent = self.known - data.keys()
        return frozenset(
            key for key in absent if any(hint.startswith(f"write `{key}`") for hint in hints)
        )

    def elsewhere(self, data: Mapping[str, Any]) -> frozenset[str]:
        """The keys that are wrong only because their values were given in another place."""
        return frozenset()

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> None:
        """Say what was given in place of an object; a misspelt key is not missing as well."""
        if not isinstance(data, dict):
            message = f"expected an object of `key: value` lines, got {describe(data)}"
            error.messages = {"_schema": [issue("wrong-type", message, self.EXAMPLE)]}
            return
        for key in self.misspelt(data) | self.elsewhere(data):
            if isinstance(error.messages, dict):
                error.messages.pop(key, None)


class Collection(fields.Field[Any]):
    """A list or an object whose parts are read one by one; all of their errors are told at once.

    A part that is wrong is replaced by a stand-in, so that later checks find what else is wrong.
    """

    KIND: Any = list
    """``list``, which is read as a tuple, or ``dict``."""
    WANTED = "a list"
    EXAMPLE: str | None = None
    """What to write where something else was given."""
    holds_stand_ins = True

    def read(self, raw: Any) -> Any:
        """One part.

        Raises:
            ValidationError: it is wrong.
        """
        raise NotImplementedError

    def instead(self, error: ValidationError) -> Any:
        """The stand-in for a part that is wrong."""
        return error.valid_data

    def key_issues(self, key: Any) -> Iterable[Issue]:
        """What is wrong with the name of a part."""
        return ()

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, self.KIND):
            raise wrong_type(self.WANTED, value, self.EXAMPLE)
        found: dict[Any, Any] = {}
        errors: dict[Any, list[Any]] = {}
        is_list = self.KIND is list
        for key, raw in enumerate(value) if is_list else value.items():
            wrong: list[Any] = list(self.key_issues(key))
            try:
                found[key] = self.read(raw)
            except ValidationError as error:
                wrong.append(error.messages)
                found[key] = self.instead(error)
            if wrong:
                errors[key] = wrong
        whole: Any = tuple(found.values()) if is_list else found
        if errors:
            raise ValidationError(errors, valid_data=whole)
        return whole


class String(fields.String):
    """A text; a number is refused with the advice to quote it."""

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, str):
            return value
        raise wrong_type("text", value, _quote_hint(value))


def _quote_hint(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    return f'write `"{dumps(value)}"`, in quotes'


class Boolean(fields.Field[bool]):
    """``true`` or ``false``, and nothing that only looks like it."""

    def json_schema(self) -> JsonSchema:
        return {"type": "boolean"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        meant = word if word in ("true", "false") else _FLAGS.get(word)
        hint = f"write `{meant}`, without quotes" if meant else "write `true` or `false`"
        raise wrong_type("true or false", value, hint)


class Integer(fields.Field[int]):
    """A whole number between ``low`` and ``high``."""

    def __init__(self, low: int, high: int, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = low, high

    def json_schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        ):
            return value
        wanted = f"a whole number from {self.low} to {self.high}"
        raise wrong_type(wanted, value, self._hint(value))

    def _hint(self, value: Any) -> str | None:
        if isinstance(value, str) and value.isdecimal():
            return f"write `{value}`, without quotes"
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return f"write `{min(max(value, self.low), self.high)}`"


class Duration(fields.Field[float]):
    """``200ms``, ``5s``, ``10m``, ``2h``; in seconds once read."""

    def json_schema(self) -> JsonSchema:
        return {
            "type": "string",
            "pattern": f"^{duration_pattern(DURATION_UNITS, fractions=True)}$",
        }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        text = value if isinstance(value, str) else ""
        seconds = parse_duration(text, DURATION_UNITS, fractions=True)
        if seconds is None:
            message = f"expected a duration like 200ms, 5s, 10m or 2h, got {describe(value)}"
            raise validation_error("bad-duration", message, _duration_hint(value))
        if not 0 < seconds <= MAX_DURATION:
            raise validation_error(
                "bad-duration", f"a duration is more than 0 and at most 24h, not {value}"
            )
        return seconds


def _duration_hint(value: Any) -> str:
    if isinstance(value, str) and "${" in value:
        return "write the duration as it is, without `${…}`"
    match = _TIME_IN_WORDS.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    unit = _UNITS.get(match[2].lower().removesuffix("s")) if match else None
    return f"write `{match[1]}{unit}`" if match and unit else "the units are ms, s, m and h"


class Choice(fields.Field[str]):
    """One of a few words."""

    def __init__(self, words: tuple[str, ...], **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def json_schema(self) -> JsonSchema:
        return {"enum": list(self.words)}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        near = did_you_mean(value, self.words) if isinstance(value, str) else None
        raise validation_error(
            "bad-choice",
            f"expected one of {', '.join(self.words)}, got {describe(value)}",
            f"write `{near}` instead" if near else None,
        )


class Condition(fields.Field[Compiled]):
    """A bare expression, as in ``if`` and ``when``."""

    stand_in = compile_expression("true")

    def json_schema(self) -> JsonSchema:
        return {"type": ["string", "boolean"]}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Compiled:
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            raise wrong_type("an expression", value, "write a condition like `inputs.age >= 18`")
        return _compiled(compile_expression, value)


class Expression(Condition):
    """A bare expression for any value."""

    EXAMPLE = "write an expression like `steps.user.body`"

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Compiled:
        if not isinstance(value, str):
            raise wrong_type("an expression", value, self.EXAMPLE)
        return super()._deserialize(value, *args, **options)


class Template(fields.Field[Compiled]):
    """Any value, whose texts may hold ``${expression}``."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Compiled:
        return _compiled(compile_template, value)


class TextTemplate(Template):
    """A text that may hold ``${expression}``."""

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Compiled:
        if not isinstance(value, str):
            raise wrong_type("text", value, _quote_hint(value))
        return super()._deserialize(value, *args, **options)


class ObjectTemplate(Template):
    """An object whose values may hold ``${expression}``."""

    def json_schema(self) -> JsonSchema:
        return {"type": "object"}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Compiled:
        if not isinstance(value, dict):
            raise wrong_type("an object of `name: value` lines", value, _object_hint(value))
        return super()._deserialize(value, *args, **options)


def _object_hint(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return "leave out the `- ` before each name"
    name, equals, rest = value.partition("=") if isinstance(value, str) else ("", "", "")
    if equals and " " not in name.strip():
        return f"write `{name.strip()}: {rest.strip()}` on a line of its own"
    return "write `name: value` lines below it"


@dataclass(frozen=True, slots=True)
class Assignments:
    """An object whose keys are names that the flow gives values to."""

    names: tuple[str, ...]
    values: Compiled


class AssignmentsTemplate(ObjectTemplate):
    """An object template that remembers its keys."""

    stand_in = Assignments((), compile_template({}))

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Assignments:  # type: ignore[override]
        return Assignments(values=super()._deserialize(value, *args, **options), names=tuple(value))


def _compiled(compiler: Callable[[Any], Compiled], value: Any) -> Compiled:
    try:
        return compiler(value)
    except ExpressionSyntaxError as error:
        raise ValidationError(list(error.issues)) from None


SERVICE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""The name of a service or a database in ``services.yaml``."""

SCHEMES = ("http", "https")
"""Names that no service may have: ``http:`` begins a url."""

NAME_RULE = "a name is a letter, then letters, digits or `_`, at most 64"


def name_hint(text: str) -> str:
    """A name that is near to ``text``, or the rule that names follow."""
    near = re.sub(r"\W+", "_", text, flags=re.ASCII)
    return f"write `{near}`" if is_name(near) else NAME_RULE


class Identifier(String):
    """A name that expressions can read as ``steps.<id>``: letters, digits, ``_``."""

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        if not isinstance(value, str):
            raise validation_error("bad-id", f"expected a name, got {describe(value)}", NAME_RULE)
        if not is_name(value):
            message = f"`{value}` is not a name that expressions can read"
            raise validation_error("bad-id", message, name_hint(value))
        return value


def is_name(text: str) -> bool:
    """Whether expressions can read it with a dot."""
    return text.isidentifier() and text.isascii() and text[0] != "_" and len(text) <= 64
