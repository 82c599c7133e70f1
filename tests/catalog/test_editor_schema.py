"""The JSON Schema for editors: it is up to date, and never stricter than the loader."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from app.catalog.editor_schema import editor_schema, services_schema
from app.catalog.loader import load_flow
from app.cli.flows import STARTER
from app.language.environment import Environment
from app.language.services.file import load_services
from app.verbs import VERBS
from app.yaml.document import load
from tests.catalog.test_loader import FLOWS

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "flows" / "flow.schema.json"
SHOWN_FLOW = re.compile(r"^```yaml\n(# flows/\w+/v.*?)^```$", re.MULTILINE | re.DOTALL)
SHIPPED_SERVICES = ROOT / "flows" / "services.schema.json"
VALIDATOR = jsonschema.Draft7Validator(json.loads(editor_schema()))
OF_SERVICES = jsonschema.Draft7Validator(json.loads(services_schema()))


def mistakes(text: str) -> list[str]:
    """Where the schema finds fault with a flow file: paths as ``steps/0``."""
    found = VALIDATOR.iter_errors(load(text).data)
    return sorted("/".join(map(str, error.absolute_path)) for error in found)


def test_the_shipped_schema_is_up_to_date() -> None:
    """``siteswap schema > flows/flow.schema.json`` after a change of the language."""
    assert SHIPPED.read_text(encoding="utf-8") == editor_schema()


def test_the_shipped_schema_of_services_is_up_to_date() -> None:
    """``siteswap schema --services > flows/services.schema.json`` after a change of it."""
    assert SHIPPED_SERVICES.read_text(encoding="utf-8") == services_schema()


def test_it_is_a_schema() -> None:
    """It follows the rules of its own draft."""
    for text in (editor_schema(), services_schema()):
        jsonschema.Draft7Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_offered_with_a_sentence(verb: str) -> None:
    """An editor completes each verb and its keys, and shows what it does."""
    definition = json.loads(editor_schema())["definitions"][verb]
    assert verb in definition["properties"]
    assert verb in definition["required"]
    assert definition["description"].startswith(f"`{verb}")
    assert {"id", "when", "on_error"} < definition["properties"].keys()


@pytest.mark.parametrize("verb", ["for_each", "repeat", "parallel", "call", "wait"])
def test_every_key_is_described(verb: str) -> None:
    """Editors show a sentence for each key, also those one level deeper."""
    definition = json.loads(editor_schema())["definitions"][verb]
    pending = [*definition["properties"].items()]
    for key, found in pending:
        assert "$ref" in found or found["description"].endswith((".", "`")), key
        pending += found.get("properties", {}).items()


def test_flows_of_the_docs_validate() -> None:
    """Whatever the pages show, of every verb, an editor has nothing against."""
    pages = [page.read_text(encoding="utf-8") for page in ROOT.glob("docs/*.md")]
    flows = [text for page in pages for text in SHOWN_FLOW.findall(page)]
    assert [mistakes(text) for text in flows] == [[]] * len(flows)
    shown = "\n".join(flows)
    assert [verb for verb in VERBS if f" {verb}:" not in shown] == []


def test_shipped_flows_validate() -> None:
    """The flows of the package and the starter file have no mistake for an editor either."""
    files = [STARTER, *ROOT.glob("flows/*/*.yaml")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert [mistakes(text) for text in texts] == [[]] * len(texts)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("step: []\n", ""),
        ("steps: []\nmode: Sync\n", "mode"),
        ("steps: []\ntimeout: 5\n", "timeout"),
        ("steps: []\ninputs: {a: int}\n", "inputs/a"),
        ("steps: []\ninputs: {a: {type: list, items: {typ: string}}}\n", "inputs/a"),
        ("steps:\n  - htpp: GET https://a.example\n", "steps/0"),
        ("steps:\n  - http: https://a.example\n", "steps/0"),
        ("steps:\n  - log: a\n    timout: 5s\n", "steps/0"),
        ("steps:\n  - if: a\n    then:\n      - logg: b\n", "steps/0"),
    ],
)
def test_common_mistakes_are_marked_while_typing(text: str, place: str) -> None:
    """Wrong keys and values are marked where they stand, or at their step."""
    assert place in mistakes(text)


@settings(deadline=None, max_examples=150)
@given(FLOWS)
def test_it_accepts_what_the_loader_accepts(flow: Any) -> None:
    """A flow that loads has no mistake for an editor."""
    text = json.dumps(flow, ensure_ascii=False)
    if load_flow(PurePath("flow/v1.yaml"), text, Environment()).flow is not None:
        assert mistakes(text) == []


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("services: {a: {url: 'https://a.example', auth: {bearer: t}, retry: 0}}", True),
        ("services: {a: {url: /here, retry: {times: 2}, concurrency: 3}}", True),
        ("databases: {a: {url: 'sqlite:///a.db', read_only: true}}", True),
        ("service: {}", False),
        ("services: {a: {}}", False),
        ("services: {a: {url: 'https://a.example', timeout: 5}}", False),
        ("services: {a: {url: 'https://a.example', auth: {basic: {user: a}}}}", False),
        ("databases: {a: {uri: 'sqlite:///a.db'}}", False),
    ],
)
def test_the_schema_of_services(text: str, is_fine: bool) -> None:
    """It marks wrong keys and values while one types, and is never stricter than the loader."""
    assert OF_SERVICES.is_valid(load(text).data) is is_fine
    assert (load_services(Path(), text, Environment()).content is not None) is is_fine
