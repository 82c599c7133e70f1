"""The marshmallow schemas of a flow file: raw mappings in, frozen records out."""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]  # the only way to see inside
import re._parser as sre_parser  # type: ignore[import-not-found]  # a regular expression
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields, post_load

from app.expression import Problem
from app.spec.fields import (
    Choice,
    Duration,
    Flag,
    StrictSchema,
    Text,
    Whole,
    describe,
    mistake,
    problem,
)
from app.spec.inputs import READERS, TYPES, Reader, article
from app.spec.model import DEFAULT_TIMEOUT, MODES, Input
from app.step import Block, is_name

RESERVED_INPUTS = ("juggleToken", "flowData")
"""Parameter names that the open API uses itself."""

_LIMITS: Mapping[str, tuple[str, ...]] = {
    "min": ("integer", "number", "date"),
    "max": ("integer", "number", "date"),
    "pattern": ("string",),
    "max_length": ("string", "list"),
    "items": ("list",),
    "properties": ("object",),
}


class TypeName(Choice):
    """A type, with the names other systems use as hints."""

    _ALIASES: Mapping[str, str] = {
        "str": "string", "text": "string", "int": "integer", "long": "integer",
        "float": "number", "double": "number", "decimal": "number", "bool": "boolean",
        "array": "list", "dict": "object", "map": "object", "timestamp": "datetime",
    }  # fmt: skip

    def __init__(self, **options: Any) -> None:
        super().__init__(TYPES, **options)

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        alias = self._ALIASES.get(value.lower()) if isinstance(value, str) else None
        if alias:
            raise mistake("bad-choice", f"unknown type `{value}`", f"write `{alias}` instead")
        return super()._deserialize(value, *args, **options)


class Pattern(Text):
    """A regular expression that cannot take exponential time on any text."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> re.Pattern[str]:  # type: ignore[override]
        text = super()._deserialize(value, *args, **options)
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise mistake("bad-pattern", f"not a regular expression: {error}") from None
        if _repeats_a_repeat(sre_parser.parse(text)):
            raise mistake(
                "slow-pattern",
                "a repeat inside a repeat can take a caller's text for ever to match",
                "write it without nesting `*`, `+` or `{n,}`",
            )
        return pattern


def _repeats_a_repeat(parsed: Any, *, inside: bool = False) -> bool:
    for operator, argument in parsed:
        repeats = operator in (sre.MAX_REPEAT, sre.MIN_REPEAT) and argument[1] > 1
        if repeats and inside:
            return True
        if any(_repeats_a_repeat(part, inside=inside or repeats) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> Iterator[Any]:
    """The sub-patterns within an operator's argument."""
    if isinstance(argument, sre_parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _parts(part)


class NestedInput(fields.Nested):
    """``items`` and ``properties``: a type name, or the whole object. Resolved late: it recurses."""

    def __init__(self) -> None:
        super().__init__(lambda: InputSchema())

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        raw = value if isinstance(value, dict) else {"type": value}
        try:
            return super()._deserialize(raw, *args, **options)
        except ValidationError as error:
            raise _unwrapped(error, value) from None


def _unwrapped(error: ValidationError, value: Any) -> ValidationError:
    """For the short form ``name: type`` the mistake stands at the value, not at a ``type`` key."""
    if isinstance(value, dict) or not isinstance(error.messages, dict):
        return error
    return ValidationError(error.messages.get("type", error.messages))


class InputSchema(StrictSchema):
    """``{type, required, default, …}``."""

    type = TypeName(required=True)
    required = Flag()
    default = fields.Raw(allow_none=True)
    description = Text()
    enum = fields.List(fields.Raw())
    min = fields.Raw()
    max = fields.Raw()
    pattern = Pattern()
    max_length = Whole(0, 10_000_000)
    secret = Flag(load_default=False)
    items = NestedInput()
    properties = fields.Dict(keys=fields.String(), values=NestedInput())

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Input:
        errors = {key: [found] for key, found in _mistakes(data)}
        if errors:
            raise ValidationError(errors)
        read = _limited(data)
        default = data.get("default")
        return Input(
            type=data["type"],
            read=read,
            required=data.get("required", "default" not in data),
            default=None if default is None else _default(read, default),
            secret=data["secret"],
            description=data.get("description"),
        )


def _mistakes(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, types in _LIMITS.items():
        if key in data and data["type"] not in types:
            message = f"`{key}` says nothing about {article(data['type'])}"
            yield key, problem("misplaced-limit", message, f"it belongs to: {', '.join(types)}")
    if data.get("required") and "default" in data:
        hint = "drop `required`, or drop `default`"
        yield "required", problem("required-default", "an input with a default is optional", hint)
    for key in ("min", "max"):
        if key in data and data["type"] in _LIMITS[key]:
            try:
                READERS[data["type"]](data[key])
            except ValueError as error:
                yield key, problem("wrong-type", str(error))


def _default(read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValidationError({"default": mistake("bad-default", str(error)).messages}) from None


def _limited(data: Mapping[str, Any]) -> Reader:
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
    "min": lambda low, base: _refuse_unless(lambda v: v >= base(low), f"at least {low}"),
    "max": lambda high, base: _refuse_unless(lambda v: v <= base(high), f"at most {high}"),
    "max_length": lambda size, _: _refuse_unless(
        lambda value: len(value) <= size, f"a length of at most {size}"
    ),
    "pattern": lambda pattern, _: _refuse_unless(
        lambda text: len(text) <= MAX_MATCHED and pattern.fullmatch(text) is not None,
        f"text that matches {pattern.pattern}",
    ),
    "items": _each_item,
    "properties": _each_property,
}

MAX_MATCHED = 10_000
"""Longest text that is matched against a ``pattern``."""


class Declarations(fields.Field[dict[str, Any]]):
    """``inputs`` and ``outputs``: names, and what each one is.

    A name whose declaration is wrong is declared all the same, by ``stand_in``: the checks then do
    not blame the steps that use it.
    """

    def __init__(
        self, what: str, values: fields.Field[Any], stand_in: Any, reserved: tuple[str, ...] = ()
    ) -> None:
        super().__init__(load_default=dict)
        self.what, self.values, self.stand_in, self.reserved = what, values, stand_in, reserved

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            hint = "write `name: type` lines, like `age: integer`"
            raise mistake("wrong-type", f"expected an object, got {describe(value)}", hint)
        declared: dict[str, Any] = dict.fromkeys(value, self.stand_in)
        errors: dict[str, Any] = {}
        for name, raw in value.items():
            found = list(self._refused(name))
            try:
                declared[name] = self.values.deserialize(raw)
            except ValidationError as error:
                found.append(error.messages)
            if found:
                errors[name] = found
        if errors:
            raise ValidationError(errors, valid_data=declared)
        return declared

    def _refused(self, name: str) -> Iterator[Problem]:
        if name in self.reserved:
            message = f"the open API uses the parameter `{name}` itself"
            yield problem("reserved-name", message, "choose another name")
        elif not is_name(name):
            hint = "a name is a letter, then letters, digits or `_`, at most 64"
            yield problem("bad-name", f"`{name}` is not a name for an {self.what}", hint)


_UNREAD = Input(type="object", read=lambda value: value)
"""Stands for an input whose declaration is wrong."""


class FlowSchema(StrictSchema):
    """The top level of a flow file."""

    MISPLACED = {  # noqa: RUF012
        "version": "the file's own name is the version: flows/<key>/v2.yaml",
        "key": "the folder's own name is the key: flows/<key>/v1.yaml",
        "id": "the folder's own name is the key: flows/<key>/v1.yaml",
    }

    name = Text()
    description = Text()
    mode = Choice(MODES, load_default="sync")
    enabled = Flag(load_default=True)
    timeout = Duration()
    inputs = Declarations("input", NestedInput(), _UNREAD, reserved=RESERVED_INPUTS)
    outputs = Declarations("output", TypeName(), "object")
    steps = Block(required=True)

    @post_load
    def _default_timeout(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        data.setdefault("timeout", DEFAULT_TIMEOUT[data["mode"]])
        return data
