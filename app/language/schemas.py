"""The marshmallow schemas of a flow file: raw mappings in, frozen records out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields, post_load

from app.expression import Issue
from app.language.blocks import BlockField
from app.language.fields import (
    INPUT_REF,
    Boolean,
    Choice,
    Collection,
    Duration,
    Integer,
    JsonSchema,
    StrictSchema,
    String,
    about,
    field_schema,
    is_name,
    issue,
    name_hint,
    validation_error,
)
from app.language.flow import DEFAULT_TIMEOUT, MODES, Input
from app.language.input_limits import Pattern, default_of, limited, value_issues
from app.language.inputs import TYPES
from app.language.url import UrlField

RESERVED_INPUTS = ("juggleToken", "flowData")
"""Parameter names that the open API uses itself."""


class TypeName(Choice):
    """A type, with the names other systems use as hints."""

    _ALIASES: Mapping[str, str] = {
        "str": "string", "text": "string", "int": "integer", "long": "integer",
        "float": "number", "double": "number", "decimal": "number", "bool": "boolean",
        "array": "list", "dict": "object", "map": "object", "json": "object",
        "timestamp": "datetime", "time": "datetime",
    }  # fmt: skip

    def __init__(self, **options: Any) -> None:
        super().__init__(TYPES, **options)

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        if isinstance(value, dict):
            hint = "write the type alone, like `age: integer`"
            raise validation_error("bad-choice", "expected a type, got an object", hint)
        alias = self._alias(value) if isinstance(value, str) else None
        if alias:
            raise validation_error(
                "bad-choice", f"unknown type `{value}`", f"write `{alias}` instead"
            )
        return super()._deserialize(value, *args, **options)

    def _alias(self, word: str) -> str | None:
        is_generic = word.endswith(("[]", ">")) or word.startswith("[")
        return "list" if is_generic else self._ALIASES.get(word.lower())


class NestedInput(fields.Nested):
    """An input: a type name, or the whole object. Resolved late: inputs hold inputs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(lambda: InputSchema(), **options)

    def json_schema(self) -> JsonSchema:
        return INPUT_REF

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if isinstance(value, dict):
            return super()._deserialize(value, *args, **options)
        return _input({"type": _TYPE_NAME.deserialize(value), "secret": False})


_TYPE_NAME = TypeName()


class Declarations(Collection):
    """Names, and what each one is: ``inputs``, ``outputs`` and ``properties``.

    A name whose declaration is wrong is declared all the same, as ``default``: the checks then do
    not blame the steps that use it. ``what`` is ``None`` where names follow no rule.
    """

    KIND = dict
    WANTED = "an object"
    EXAMPLE = "write `name: type` lines, like `age: integer`"

    def __init__(
        self,
        what: str | None,
        values: fields.Field[Any],
        default: Any,
        *,
        reserved: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.what, self.values, self.default, self.reserved = what, values, default, reserved

    def json_schema(self) -> JsonSchema:
        return {"type": "object", "additionalProperties": field_schema(self.values)}

    def read(self, raw: Any) -> Any:
        return self.values.deserialize(raw)

    def instead(self, error: ValidationError) -> Any:
        return self.default

    def key_issues(self, key: str) -> Iterator[Issue]:
        if key in self.reserved:
            message = f"the open API uses the parameter `{key}` itself"
            yield issue("reserved-name", message, "choose another name")
        elif self.what and not is_name(key):
            yield issue("bad-name", f"`{key}` is not a name for an {self.what}", name_hint(key))


_UNREAD = Input(type="object", read=lambda value, _: value)
"""Stands for an input whose declaration is wrong."""


class InputSchema(StrictSchema):
    """``{type, required, default, …}``."""

    type = TypeName(required=True)
    required = Boolean()
    default = fields.Raw(allow_none=True)
    description = String()
    enum = fields.List(fields.Raw())
    min = fields.Raw()
    max = fields.Raw()
    pattern = Pattern()
    max_length = Integer(0, 10_000_000)
    secret = Boolean(load_default=False)
    items = NestedInput()
    properties = Declarations(None, NestedInput(), _UNREAD)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Input:
        return _input(data)


def _input(data: dict[str, Any]) -> Input:
    errors: dict[str, list[Any]] = {}
    for key, messages in value_issues(data):
        errors.setdefault(key, []).append(messages)
    if errors:
        raise ValidationError(errors)
    rule, default = limited(data), data.get("default")
    return Input(
        type=data["type"],
        read=rule,
        required=data.get("required", "default" not in data),
        default=None if default is None else default_of(rule, default),
        secret=data["secret"],
        description=data.get("description"),
        items=data.get("items"),
        properties=data.get("properties") or {},
    )


_NO_STEPS = [
    issue(
        "missing-key", "the key `steps` is missing", "write `steps:` and below it a list of steps"
    )
]


class CallbackSchema(StrictSchema):
    """``callback: {url: …}``."""

    EXAMPLE = "write `callback: {url: https://…}`"

    url = UrlField(required=True, metadata=about("The address; `null`: no callback."))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return data["url"]


class FlowSchema(StrictSchema):
    """The top level of a flow file."""

    EXAMPLE = "a flow begins with lines like `name: …`, `inputs:`, `steps:`"
    MISPLACED = {  # noqa: RUF012
        "version": "the file's own name is the version: flows/<key>/v2.yaml",
        "key": "the folder's own name is the key: flows/<key>/v1.yaml",
        "id": "the folder's own name is the key: flows/<key>/v1.yaml",
    }

    name = String(metadata=about("What people call the flow."))
    description = String(metadata=about("What it is for."))
    mode = Choice(
        MODES,
        load_default="sync",
        metadata=about("`sync` answers at once; `async` answers with an id to poll."),
    )
    enabled = Boolean(load_default=True, metadata=about("`false`: callers are told so."))
    timeout = Duration(metadata=about("How long a run may take: 30s sync, 10m async by default."))
    retryable = Boolean(
        load_default=False,
        metadata=about("`true`: every step may run twice if its process died, with one key."),
    )
    concurrency = Integer(
        1,
        1_000,
        metadata=about("Async runs of it at once in each worker process; 16 by default."),
    )
    callback = fields.Nested(
        CallbackSchema, metadata=about("The address to call when an async run has ended.")
    )
    inputs = Declarations(
        "input",
        NestedInput(),
        _UNREAD,
        reserved=RESERVED_INPUTS,
        load_default=dict,
        metadata=about("What a caller sends: `name: type` lines; read as `inputs.name`."),
    )
    outputs = Declarations(
        "output",
        TypeName(),
        "object",
        load_default=dict,
        metadata=about("All that a caller sees: `name: type` lines; set by `return`."),
    )
    steps = BlockField(
        required=True,
        error_messages={"required": _NO_STEPS},
        metadata=about("What the flow does, one step after the other."),
    )

    @post_load
    def _default_timeout(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        data["has_own_timeout"] = "timeout" in data
        data.setdefault("timeout", DEFAULT_TIMEOUT[data["mode"]])
        return data
