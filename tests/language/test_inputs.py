"""Types at the door: what a caller sends is a value of the declared type, or is refused."""

from __future__ import annotations

import math
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalog.loader import load_flow
from app.errors import InputsInvalid
from app.language.environment import Environment
from app.language.flow import Input
from app.language.inputs import MAX_INTEGER, READERS, TYPES, check_output, coerce
from app.strict_json import dumps, loads

HUGE = 10**400
"""A whole number that no JSON reader here lets through, and no message should spell out."""

some = settings(deadline=None, max_examples=150)


def inputs(declarations: str) -> dict[str, Input]:
    """The inputs that a flow declares with these lines."""
    body = "".join(f"  {line}\n" for line in declarations.strip().splitlines())
    text = f"inputs:\n{body}steps:\n  - log: ${{inputs}}\n"
    loaded = load_flow(PurePath("flow/v1.yaml"), text, Environment())
    assert loaded.flow is not None, loaded.diagnostics
    return dict(loaded.flow.inputs)


def one(declaration: str, value: Any) -> Any:
    """What the flow reads as ``x`` when a caller sends ``value``."""
    return coerce(inputs(f"x: {declaration}"), {"x": value})["x"]


def refusal(declaration: str, value: Any) -> str:
    """The sentence about ``x`` that the caller reads."""
    with pytest.raises(InputsInvalid) as caught:
        one(declaration, value)
    (issue,) = caught.value.issues
    assert issue.name[0] == "x"
    return str(issue).removeprefix("x").removeprefix(": ")


@pytest.mark.parametrize(
    ("declaration", "sent", "read"),
    [
        ("number", "1000.00", 1000.0),
        ("number", " -1.5e3 ", -1500.0),
        ("number", ".5", 0.5),
        ("number", "7", 7),
        ("number", 0.1, 0.1),
        ("integer", "42", 42),
        ("integer", "+42", 42),
        ("integer", 42.0, 42),
        ("integer", str(MAX_INTEGER), MAX_INTEGER),
        ("boolean", "false", False),
        ("boolean", "False", False),
        ("boolean", "TRUE", True),
        ("boolean", "0", False),
        ("boolean", 1, True),
        ("string", 5, "5"),
        ("string", True, "true"),
        ("string", "", ""),
        ("string", " x ", " x "),
        ("string", "${7*7}", "${7*7}"),
        ("date", "2024-02-29", "2024-02-29"),
        ("datetime", "2026-11-23T20:07:40Z", "2026-11-23T20:07:40Z"),
        ("datetime", "2026-11-23T20:07:40+08:00", "2026-11-23T20:07:40+08:00"),
        ("datetime", "2026-11-23T20:07:40 08:00", "2026-11-23T20:07:40+08:00"),
        ("datetime", "2026-11-23 20:07:40.5", "2026-11-23T20:07:40.500000"),
        ("datetime", "2026-11-23T20:07", "2026-11-23T20:07:00"),
        ("list", "[1, 2]", [1, 2]),
        ("list", "a", ["a"]),
        ("list", ["a", "b"], ["a", "b"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("{type: list, items: integer}", ["1", "2"], [1, 2]),
        ("{type: list, items: {type: list, items: number}}", "[[1], [2.5]]", [[1], [2.5]]),
        ("{type: object, properties: {age: integer}}", {"age": "7", "b": 1}, {"age": 7, "b": 1}),
        (
            "{type: object, properties: {age: {type: integer, default: 3}, n: {type: string, "
            "required: false}}}",
            {},
            {"age": 3, "n": None},
        ),
        ("{type: string, enum: [S, M]}", "M", "M"),
        ("{type: integer, enum: [1, 2]}", "2", 2),
        ("{type: integer, min: 1, max: 3}", "3", 3),
        ("{type: date, min: 2026-01-01}", "2026-01-01", "2026-01-01"),
        ("{type: string, pattern: '[a-z]+', max_length: 3}", "abc", "abc"),
    ],
)
def test_what_is_meant_is_read(declaration: str, sent: Any, read: Any) -> None:
    """Query strings hold only text; each type reads its own, and JSON values as they are."""
    value = one(declaration, sent)
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("declaration", "sent", "sentence"),
    [
        ("number", "abc", 'expected a number, got the text "abc"'),
        ("number", "1,5", "expected a number"),
        ("number", "NaN", "expected a number"),
        ("number", "Infinity", "expected a number"),
        ("number", math.nan, "finite"),
        ("number", -math.inf, "finite"),
        ("number", "1e999", "finite"),
        ("number", "9" * 5000, "expected a number"),
        ("number", HUGE, "64 bits"),
        ("number", True, "expected a number, got true"),
        ("number", "0x10", "expected a number"),
        ("number", "１２", "expected a number"),
        ("integer", "1.5", "expected an integer"),
        ("integer", 1.5, "expected an integer, got the number 1.5"),
        ("integer", "9" * 5000, "expected an integer"),
        ("integer", HUGE, "64 bits"),
        ("integer", MAX_INTEGER + 1, "64 bits"),
        ("integer", 1e300, "64 bits"),
        ("integer", True, "expected an integer, got true"),
        ("integer", "٣", "expected an integer"),
        ("integer", [1], "expected an integer, got a list"),
        ("boolean", "yes", "expected a boolean"),
        ("boolean", "", "missing"),
        ("boolean", 2, "expected a boolean, got the number 2"),
        ("boolean", 0.0, "expected a boolean"),
        ("boolean", HUGE, "expected a boolean"),
        ("string", ["a", "b"], "expected text, got a list"),
        ("string", {}, "expected text, got an object"),
        ("date", "2023-02-29", "a date like 2026-11-23"),
        ("date", "23.11.2026", "a date like 2026-11-23"),
        ("date", "20261123", "a date like"),
        ("date", 20261123, "a date like"),
        ("datetime", "2026-11-23", "a time like"),
        ("datetime", "2026-11-23T25:00:00", "a time like"),
        ("datetime", 0, "a time like"),
        ("list", "[1,", "as JSON"),
        ("list", "[NaN]", "as JSON"),
        ("list", {"a": 1}, "expected a list, got an object"),
        ("object", "x", "as JSON"),
        ("object", "[1]", "expected an object, got a list"),
        ("object", "[" * 5000, "as JSON"),
        ("{type: list, items: integer}", ["1", "x"], "[1]: expected an integer"),
        ("{type: list, items: {type: list, items: integer}}", [[1], ["x"]], "[1][0]: expected"),
        ("{type: object, properties: {age: integer}}", {"age": "x"}, ".age: expected an integer"),
        ("{type: object, properties: {age: integer}}", {}, ".age: missing"),
        ("{type: string, enum: [S, M]}", "XL", "expected one of S, M"),
        ("{type: integer, min: 1}", 0, "expected at least 1, got the number 0"),
        ("{type: number, max: 2.5}", "2.6", "expected at most 2.5"),
        ("{type: string, pattern: '[a-z]+'}", "abc1", "text that matches [a-z]+"),
        ("{type: string, pattern: '[a-z]+'}", "a" * 20_000, "text that matches"),
        ("{type: string, max_length: 3}", "abcd", "a length of at most 3"),
        ("{type: list, max_length: 1}", [1, 2], "a length of at most 1"),
    ],
)
def test_what_is_not_meant_is_refused(declaration: str, sent: Any, sentence: str) -> None:
    """The refusal says what was expected and, shortened, what came."""
    said = refusal(declaration, sent)
    assert sentence in said
    assert len(said) < 200


def test_all_problems_are_told_at_once() -> None:
    """Missing and wrong inputs are named together, in the order of their declaration."""
    declared = inputs("a: integer\nb: string\nc: {type: boolean, default: true}\nd: date")
    with pytest.raises(InputsInvalid) as caught:
        coerce(declared, {"a": "x", "c": "maybe", "e": 1})
    assert [issue.name for issue in caught.value.issues] == ["a", "b", "c", "d"]
    assert "missing; expected text" in caught.value.public


def test_defaults_and_absence() -> None:
    """An absent, null or empty value is the default; text may be empty; others are left out."""
    declared = inputs(
        "a: {type: integer, default: '5'}\nb: {type: string, default: x}\n"
        "c: {type: number, required: false}\nd: string"
    )
    assert coerce(declared, {"d": ""}) == {"a": 5, "b": "x", "c": None, "d": ""}
    given_nothing = coerce(declared, {"a": "", "b": None, "c": "", "d": "y", "more": 1})
    assert given_nothing == {"a": 5, "b": "x", "c": None, "d": "y"}


def test_a_secret_is_not_quoted() -> None:
    """What was wrong with a secret is said without repeating it."""
    said = refusal("{type: integer, secret: true}", "hunter2")
    assert said == "expected an integer"


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.sampled_from(["true", "0", "1e400", "[1]", "{}", "2026-11-23", "2026-11-23T01:02:03Z"]),
        st.integers().map(str),
        st.floats().map(str),
        st.dates().map(date.isoformat),
        st.datetimes().map(datetime.isoformat),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)

HOLDS = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int and abs(value) <= MAX_INTEGER,
    "number": lambda value: type(value) in (int, float) and math.isfinite(value),
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: date.fromisoformat(value).isoformat() == value,
    "datetime": lambda value: datetime.fromisoformat(value) is not None and "T" in value,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


@pytest.mark.parametrize("kind", TYPES)
@some
@given(value=ANYTHING)
def test_any_value_is_read_or_refused(kind: str, value: Any) -> None:
    """A reader gives a value of its type, and the same again for it, or raises ``ValueError``."""
    try:
        read = READERS[kind](value)
    except ValueError:
        return
    assert HOLDS[kind](read)
    assert READERS[kind](read) == read
    assert check_output(kind, read) == read


@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean", "date", "datetime"])
@some
@given(value=ANYTHING)
def test_what_was_read_is_json(kind: str, value: Any) -> None:
    """Plain values are JSON, and JSON text of them is read as the same value."""
    try:
        read = coerce(inputs(f"x: {kind}"), {"x": value})["x"]
    except InputsInvalid:
        return
    assert loads(dumps(read)) == read


@some
@given(st.text())
def test_text_is_never_evaluated(text: str) -> None:
    """Text stays the text it is, whatever it looks like."""
    assert one("string", text) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", 1), ("integer", "1"), ("integer", 1.5), ("integer", True), ("number", "1"),
        ("boolean", 1), ("boolean", "true"), ("list", {}), ("object", []), ("date", "today"),
        ("datetime", 5), ("string", []),
    ],
)  # fmt: skip
def test_outputs_are_not_coerced(kind: str, value: Any) -> None:
    """A flow decides its types itself: an output of another type is an error."""
    with pytest.raises(ValueError, match="expected"):
        check_output(kind, value)


def test_outputs_may_be_null_and_whole() -> None:
    """Every output may be null, and a whole number may come from arithmetic with fractions."""
    assert [check_output(kind, None) for kind in TYPES] == [None] * len(TYPES)
    whole = check_output("integer", 18.0)
    assert (whole, type(whole)) == (18, int)
