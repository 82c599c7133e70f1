"""Literals, operators, displays and comprehensions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.expression.scopes import error, value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("-5", -5),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("'it\\'s'[0:0] + \"a\\n\\\"\\u4e2d\\U0001F600\"", 'a\n"中😀'),
        ("[1, [2], {}]", [1, [2], {}]),
        ('{"a": 1, "b" + "c": [2]}', {"a": 1, "bc": [2]}),
        ("\n  1 +\n\t2 ", 3),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("7 / 2", 3.5),
        ("+3 - -3", 6),
        ("'ab' * 2 + 2 * 'c'", "ababcc"),
        ("[0] * 3 + [1] * -1", [0, 0, 0]),
        ("1 < 2 < 3", True),
        ("1 < 2 > 5", False),
        ("1 < 2 <= 2 != 3 == 3", True),
        ("'a' < 'b' and not 'b' <= 'a'", True),
        ("'b' in 'abc' and 'b' in ['b'] and 'b' in {'b': 1}", True),
        ("'b' not in 'abc' or 1 not in [2]", True),
        ("0 or '' or [] or 'last'", "last"),
        ("1 and 'second'", "second"),
        ("'yes' if [0] else 'no'", "yes"),
        ("not not {}", False),
        ("[x * y for x in [1, 2] for y in [x, 10] if y > 1]", [10, 4, 20]),
        ("{x: len(x) for x in ['a', 'bb']}", {"a": 1, "bb": 2}),
        ("[[y for y in x if y] for x in [[0, 1], [2]]]", [[1], [2]]),
        ("sum(x for x in [1, 2])", 3),
        ("[inputs for inputs in [1]]", [1]),
        ("[len for len in [[1, 2]]][0][len('a')]", 2),
        ("[v_x + scope for v_x in [1] for scope in [2]]", [3]),
        ("[0 < x < 3 for x in [1, 5]]", [True, False]),
    ],
)
def test_an_operator_gives_what_it_says(source: str, expected: object) -> None:
    """The value and its type, for one use of each operator."""
    result = value(source)
    assert result == expected
    assert type(result) is type(expected)


ONE_OF_EACH: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    2,
    "",
    "a",
    [],
    [1],
    [True],
    {},
    {"a": 1},
    {"a": True},
]


@pytest.mark.parametrize("left", ONE_OF_EACH)
@pytest.mark.parametrize("right", ONE_OF_EACH)
def test_equality_is_that_of_json(left: Any, right: Any) -> None:
    """Values are equal when their JSON is the same; ``true`` equals no number, at any depth."""
    same = repr(left) == repr(right)
    assert value("inputs.a == inputs.b", a=left, b=right) is same
    assert value("inputs.a != inputs.b", a=left, b=right) is not same
    assert value("inputs.a in inputs.b", a=left, b=[right]) is same


@pytest.mark.parametrize("literal", ["null", "true", "false", "0", "1", "2", "1.0", "''", "'a'"])
@pytest.mark.parametrize("data", ONE_OF_EACH)
def test_equality_with_a_literal_is_the_same_equality(literal: str, data: Any) -> None:
    """The quick forms for literals agree with the careful one, on either side and in lists."""
    careful = value("inputs.a == inputs.b", a=data, b=value(literal))
    assert value(f"inputs.a == {literal}", a=data) is careful
    assert value(f"{literal} == inputs.a", a=data) is careful
    assert value(f"inputs.a != {literal}", a=data) is not careful
    assert value(f"inputs.a in [{literal}, 'other']", a=data) is careful
    assert value(f"inputs.a not in [{literal}]", a=data) is not careful


def test_whole_and_broken_numbers_are_equal() -> None:
    """``1`` and ``1.0`` are the same JSON number."""
    assert value("[1, {'a': 2}] == [1.0, {'a': 2.0}] and 1 in [1.0]") is True


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "`1 / 0`: division by zero"),
        ("2 + 1 % 0", "`1 % 0`: division by zero"),
        ("0 ** -1", "`0 ** -1`: division by zero"),
        ("(-8) ** 0.5", "`(-8) ** 0.5`: a negative number has no such power"),
        ("true + 1", "`true + 1`: a boolean and a number cannot be added"),
        ("[1] + {}", "`[1] + {}`: a list and an object cannot be added"),
        (
            "1 + 'a' * 1",
            "`1 + 'a' * 1`: a number and text cannot be added; write `str(…)` around the left side",
        ),
        ("'a' % 1", "`'a' % 1`: `%` needs numbers, not text"),
        ("null * 2", "`null * 2`: `*` needs numbers, not null"),
        ("'a' * 1.5", "`'a' * 1.5`: `*` needs numbers, not text"),
        ("[1] * true", "`[1] * true`: `*` needs numbers, not a list"),
        ("-true", "`-true`: `-` needs a number, not a boolean"),
        ("+'a'", "`+'a'`: `+` needs a number, not text"),
        ("1 < 'a'", "`1 < 'a'`: a number and text have no order"),
        ("true < 2", "`true < 2`: a boolean and a number have no order"),
        ("[1] < [2]", "`[1] < [2]`: a list and a list have no order"),
        ("1 < 2 < null", "`1 < 2 < null`: a number and null have no order"),
        ("1 in 'a'", "`1 in 'a'`: `in` cannot look for a number in text"),
        (
            "'a' in null",
            "`'a' in null`: `in` needs a list, a text or an object on its right, not null",
        ),
        ("{1 + 1: 2}", "`1 + 1`: the name of a field is text, not a number"),
        ("{x: x for x in [1]}", "`x`: the name of a field is text, not a number"),
        ("[x for x in 'abc']", "`'abc'`: `for` goes over a list, not over text"),
        (
            "[x for x in {'a': 1}]",
            "`{'a': 1}`: `for` goes over a list, not over an object; "
            "write `keys(…)` or `values(…)`",
        ),
    ],
)
def test_what_cannot_be_computed_is_said_with_its_place(source: str, message: str) -> None:
    """The message begins with the very part of the source that failed."""
    assert error(source) == message


def test_operands_that_do_not_matter_are_not_computed() -> None:
    """``and``, ``or``, ``if`` and a chain of comparisons stop where the result is known."""
    assert value("false and 1 / 0 or true or 1 / 0") is True
    assert value("1 if true else 1 / 0") == 1
    assert value("2 < 1 < 1 / 0 < 3") is False


def test_a_chain_reads_its_middle_once() -> None:
    """``uuid`` in the middle of a chain gives one id, not two."""
    assert value("'0' < uuid() < 'z' != ''") is True
    assert value("[x for x in [1, 5, 9] if 0 < x + 1 < 7]") == [1, 5]


def test_variables_end_with_their_comprehension() -> None:
    """After its brackets, a variable is a root again."""
    assert value("[inputs.a for inputs in [{'a': 2}]] + [inputs.a]", a=1) == [2, 1]


def test_the_data_is_not_changed() -> None:
    """Putting lists together makes a new list."""
    data = [1]
    assert value("inputs.a + [2]", a=data) == [1, 2]
    assert data == [1]
