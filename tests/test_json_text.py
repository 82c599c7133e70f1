"""Strict JSON: what is read can be written back, and what cannot be is refused with a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.strict_json import MAX_DEPTH, MAX_WRITTEN_DEPTH, JsonError, depth, dumps, loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)  # fmt: skip

DEEP = (101, 500, 1_500, 5_000, 100_000)
"""Levels at which one Python or another has no more stack."""


@given(JSON)
def test_what_is_written_is_read_back(value: object) -> None:
    """A round trip changes nothing."""
    assert loads(dumps(value).encode()) == value


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """Nothing but ``JsonError`` is raised, and what is read can be sent."""
    try:
        value = loads(text)
    except JsonError:
        return
    dumps(value).encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is not"),
        ("[-Infinity]", "-Infinity is not"),
        ("1e999", "too large"),
        ("1" * 5_000, "5000 digits"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        (r'"\ud800"', "stands alone"),
        ("[" * 5_000 + "]" * 5_000, "deeper than 100"),
        ('{"a":' * 101 + "1" + "}" * 101, "deeper than 100"),
        *((opening * times, "deeper than 100") for opening in ("[", '{"a":') for times in DEEP),
        ('["\\"' + "[" * 200 + '", [' + "{}," * 200 + "x", "expecting value at line 1, column 809"),
        ('"' + "[" * 200 + "\x01", "invalid control character at"),
        ("{}".encode("utf-16"), "not UTF-8"),
        ("[1,\n x]", "line 2, column 2"),
        ("{} x", "extra data at line 1, column 3"),
        ("", "expecting value"),
    ],
)
def test_what_is_not_json_is_refused(text: str | bytes, reason: str) -> None:
    """The sentence says what is wrong, and where if that is known."""
    with pytest.raises(JsonError, match=reason):
        loads(text)


def test_what_json_allows_is_read() -> None:
    """A byte order mark, white space, escapes, and the greatest depth."""
    assert loads(b'\xef\xbb\xbf {"a": "\\ud83d\\ude00"} \n') == {"a": "😀"}
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(loads(deepest)) == deepest


@pytest.mark.parametrize(("value", "levels"), [(1, 0), ([], 1), ([[1]], 2), ({"a": [{}]}, 3)])
def test_depth_counts_lists_and_objects(value: object, levels: int) -> None:
    """A scalar has no depth."""
    assert depth(value, 10) == levels


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_what_json_cannot_hold_is_not_written(value: object) -> None:
    """Never ``NaN``, never a guess."""
    with pytest.raises(JsonError):
        dumps(value)


def test_nesting_is_written_to_the_same_depth_everywhere() -> None:
    """The bound is ours, not that of Python's stack, which differs from version to version."""
    value: object = 1
    for _ in range(MAX_WRITTEN_DEPTH):
        value = [value]
    assert loads(dumps(value), MAX_WRITTEN_DEPTH) == value
    for levels in DEEP:
        for _ in range(levels):
            value = {"a": value}
        with pytest.raises(JsonError, match="nested"):
            dumps(value)
