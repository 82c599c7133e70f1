"""docs/reference.md leaves out no verb and no key."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from app.catalog.editor_schema import editor_schema
from app.verbs import VERBS
from tests.pages import PROJECT

PAGE = (PROJECT / "docs" / "reference.md").read_text()
SCHEMA: dict[str, Any] = json.loads(editor_schema())
SHARED = SCHEMA["definitions"]["shared"]["properties"].keys()


def section(heading: str) -> str:
    """What is below a heading, up to the next one."""
    found = re.search(rf"^##+ {heading}$(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {heading}"
    return found[1]


def left_out(names: Any, text: str) -> list[str]:
    """The names that a text does not mention as code, alone or as the beginning of an example."""
    return [name for name in names if not re.search(rf"`{name}\b", text)]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_a_section_with_all_its_keys(verb: str) -> None:
    """The keys that every step has are explained once, for all verbs."""
    keys = SCHEMA["definitions"][verb]["properties"].keys() - SHARED
    assert left_out(keys, section(verb)) == []


def test_keys_of_flows_and_of_every_step() -> None:
    """Each of them has its place in a table."""
    assert left_out(SCHEMA["properties"], section("Top level")) == []
    assert left_out(SHARED, section("Keys of every step")) == []


@pytest.mark.parametrize(
    ("heading", "definition"),
    [
        ("Inputs", SCHEMA["definitions"]["input"]),
        ("Retry", SCHEMA["definitions"]["shared"]["properties"]["retry"]),
        ("repeat", SCHEMA["definitions"]["repeat"]["properties"]["repeat"]),
    ],
    ids=["inputs", "retry", "repeat"],
)
def test_keys_of_objects(heading: str, definition: dict[str, Any]) -> None:
    """Long forms are explained key by key."""
    forms = definition.get("anyOf", [definition])
    keys = {key for form in forms for key in form.get("properties", {})}
    assert keys
    assert left_out(keys, section(heading)) == []
