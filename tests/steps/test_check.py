"""``check``: a value against typed rules, all problems at once, in the words of inputs."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from hypothesis import given, settings

from app.errors import FlowFailed, InputsInvalid
from app.language.inputs import JSON_READERS, READERS, TYPES
from tests.engine.world import World, program
from tests.language.test_inputs import ANYTHING, HOLDS

FLOW = """
inputs: {{given: {{type: object, default: {{}}}}}}
outputs: {{checked: object}}
steps:
  - id: x
    check: inputs.given.value
    schema: {schema}
  - return: {{checked: "${{ {{'value': steps.x}} }}"}}
"""


def checked(schema: str, value: Any, world: World | None = None) -> Any:
    """What the flow goes on with after the check."""
    flow = FLOW.format(schema=schema)
    return (world or World()).run(flow, given={"value": value})["checked"]["value"]


def refusal(schema: str, value: Any, world: World | None = None) -> str:
    """The sentence of the failed step."""
    with pytest.raises(FlowFailed) as caught:
        checked(schema, value, world)
    return caught.value.public.partition("step `x`: ")[2]


@pytest.mark.parametrize(
    ("schema", "value", "result"),
    [
        ("integer", 5, 5),
        ("integer", 5.0, 5),
        ("number", 0.5, 0.5),
        ("boolean", False, False),
        ("string", "", ""),
        ("date", "2026-01-31", "2026-01-31"),
        ("list", [1, "a"], [1, "a"]),
        ("object", {"a": 1}, {"a": 1}),
        ("{type: integer, required: false}", None, None),
        ("{type: integer, default: 7}", None, 7),
        ("{type: list, items: {type: integer, default: 0}}", [1, None], [1, 0]),
        (
            "{type: object, properties: {a: integer, b: {type: string, default: x}}}",
            {"a": 1, "c": 2},
            {"a": 1, "c": 2, "b": "x"},
        ),
    ],
)
def test_a_good_value_is_the_result(schema: str, value: Any, result: Any) -> None:
    """It is what it was, with defaults where nothing stood, and what nobody declared kept."""
    found = checked(schema, value)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        ("integer", "5", 'expected an integer, got the text "5"'),
        ("integer", True, "expected an integer, got true"),
        ("integer", 1.5, "expected an integer, got the number 1.5"),
        ("number", "1.0", 'expected a number, got the text "1.0"'),
        ("boolean", 1, "expected a boolean, got the number 1"),
        ("boolean", "true", 'expected a boolean, got the text "true"'),
        ("string", 5, "expected text, got the number 5"),
        ("list", "[1]", 'expected a list, got the text "[1]"'),
        ("object", "{}", 'expected an object, got the text "{}"'),
        ("date", 20260131, "expected a date, got the number 20260131"),
        ("integer", None, "missing; expected an integer"),
        ("{type: integer, min: 1}", 0, "expected at least 1, got the number 0"),
        ("{type: string, enum: [a, b]}", "c", 'expected one of a, b, got the text "c"'),
    ],
)
def test_nothing_is_read_from_text(schema: str, value: Any, sentence: str) -> None:
    """A JSON value of another type is refused, also where an input would be read."""
    assert refusal(schema, value) == sentence


NESTED = """{type: object, properties: {
      address: {type: object, properties: {zip: {type: string, pattern: "[0-9]{5}"}}},
      rows: {type: list, items: {type: object, properties: {id: integer, "a b": string}}}}}"""


def test_all_problems_are_told_with_their_paths() -> None:
    """Lists and objects are looked through to their ends."""
    value = {
        "address": {"zip": "x"},
        "rows": [{"id": 1, "a b": ""}, {"id": "2"}, 3],
    }
    assert refusal(NESTED, value).split("; ") == [
        '.address.zip: expected text that matches [0-9]{5}, got the text "x"',
        '.rows[1].id: expected an integer, got the text "2"',
        '.rows[1]["a b"]: missing',
        "expected text",
        ".rows[2]: expected an object, got the number 3",
    ]


def test_inputs_tell_the_same() -> None:
    """The door holds what it reads against the same rules, and each problem names its path."""
    text = f"inputs:\n  x: {NESTED}\nsteps:\n  - log: ${{inputs.x}}\n"
    with pytest.raises(InputsInvalid) as caught:
        World().run(text, x={"address": {}, "rows": [{"id": "1", "a b": 1}, {"id": "one"}]})
    names = [issue.name for issue in caught.value.issues]
    assert names == ["x.address.zip", "x.rows[1].id", 'x.rows[1]["a b"]']


@pytest.mark.parametrize("kind", ["integer", "{type: list, items: integer}"])
def test_the_number_of_problems_is_bounded(kind: str) -> None:
    """A long list of wrong things gives a short message that counts the rest."""
    value = ["x"] * 1_000 if kind == "integer" else [["x"] * 100] * 10
    said = refusal(f"{{type: list, items: {kind}}}", value)
    assert said.count("expected an integer") == 20
    assert said.endswith("; and 980 more")
    assert len(said) < 2_000


def test_secrets_are_masked_before_a_text_is_shortened() -> None:
    """No beginning of a long secret is left over; what the schema calls secret is not quoted."""
    world = World(secrets={"LONG": "s" * 200})
    assert refusal("integer", "key " + "s" * 200, world) == (
        'expected an integer, got the text "key ***"'
    )
    schema = "{type: object, properties: {pin: {type: string, pattern: '[0-9]+', secret: true}}}"
    assert refusal(schema, {"pin": "hunter2"}) == ".pin: expected text"


def test_on_error_reads_the_kind() -> None:
    """A failed check can be handled like any failed step."""
    text = """
        outputs: {note: string}
        steps:
          - id: x
            check: "[1, 'a']"
            schema: {type: list, items: integer}
            on_error:
              - return: {note: "${error.kind} ${error.step}"}
          - return: {note: "${steps.x}"}
    """
    assert World().run(textwrap.dedent(text)) == {"note": "check x"}


def test_it_is_computed_and_kept_nowhere() -> None:
    """A check has no effect outside, so a run that is replayed computes it again."""
    (step, _) = program(FLOW.format(schema="integer")).flow.steps
    assert not step.has_effect
    assert step.has_result


@pytest.mark.parametrize("kind", TYPES)
@settings(deadline=None, max_examples=150)
@given(value=ANYTHING)
def test_any_json_value_fits_or_not(kind: str, value: Any) -> None:
    """What fits is of the type, was not text unless that is its form, and fits again."""
    try:
        found = JSON_READERS[kind](value)
    except ValueError:
        return
    assert HOLDS[kind](found)
    assert JSON_READERS[kind](found) == found == READERS[kind](value)
    assert isinstance(value, str) == (kind in ("string", "date", "datetime"))
