"""The JSON Schemas of our files: editors complete and check keys with them while one types.

They accept whatever the loader accepts. It finds far more, so lint has the last word.
"""

from __future__ import annotations

import json
import sys

from app.language.blocks import StepSchema
from app.language.fields import JsonSchema, field_schema, object_schema
from app.language.schemas import FlowSchema, InputSchema, TypeName
from app.language.services.file import ServicesFileSchema
from app.language.step import Step
from app.verbs import VERBS


def editor_schema() -> str:
    """The text of ``flow.schema.json``."""
    definitions = {
        "input": {"anyOf": [field_schema(TypeName()), object_schema(InputSchema())]},
        "shared": object_schema(StepSchema()),
        "step": {"anyOf": [{"$ref": f"#/definitions/{verb}"} for verb in VERBS]},
        **{verb: _verb_schema(step) for verb, step in VERBS.items()},
    }
    return _text("A Siteswap flow", {**object_schema(FlowSchema()), "definitions": definitions})


def services_schema() -> str:
    """The text of ``services.schema.json``."""
    return _text("Services and databases of Siteswap flows", object_schema(ServicesFileSchema()))


def _text(title: str, schema: JsonSchema) -> str:
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": title}
    return json.dumps({**head, **schema}, ensure_ascii=False, indent=2) + "\n"


def _verb_schema(step: type[Step]) -> JsonSchema:
    about = (sys.modules[step.__module__].__doc__ or "").split("\n\n")[0].replace("``", "`")
    schema = object_schema(step.schema())
    for key in StepSchema().known:
        schema["properties"][key] = {"$ref": f"#/definitions/shared/properties/{key}"}
    return {"description": " ".join(about.split()), **schema}
