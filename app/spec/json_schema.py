"""From marshmallow's fields to JSON Schema (draft 7, which editors know best).

A field of ours says itself what it accepts, by a method ``json_schema``; this module knows
marshmallow's own fields and schemas. See :mod:`app.spec.editor_schema` for the whole.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

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
