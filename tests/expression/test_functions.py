"""The functions: each example, and what the examples do not show."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from app.expression import ExpressionError
from app.expression.functions import FUNCTIONS
from app.expression.functions.function import Function
from app.strict_json import dumps
from tests.expression.scopes import error, issues, value

NAMES = (
    "len default str int float round min max sum abs lower upper trim split join replace "
    "startswith endswith keys values sorted unique now date format_date parse_json to_json "
    "base64 sha256 hmac_sha256 uuid url_encode"
)


def test_the_list_of_functions_is_the_documented_one() -> None:
    """No function is missing, and none is there by accident."""
    assert set(FUNCTIONS) == set(NAMES.split())


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_every_function_refuses_a_wrong_number_of_arguments(function: Function) -> None:
    """One argument too few or too many is found at load, with the signature as the hint."""
    least, most = function.arity
    wrong = [least - 1] if most is None else [least - 1, most + 1]
    for count in [count for count in wrong if count >= 0]:
        (found,) = issues(f"{function.name}({', '.join(['1'] * count)})")
        assert found.code == "bad-arguments"
        assert function.signature in str(found.hint)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
@pytest.mark.parametrize("argument", [None, True, 0, 1.5, "", "x", [], [[1]], {}, {"a": {}}])
def test_no_argument_breaks_a_function(function: Function, argument: Any) -> None:
    """Each function gives a JSON value or an expression error, whatever it is given."""
    least, most = function.arity
    for count in range(least, (3 if most is None else most) + 1):
        source = f"{function.name}({', '.join(['inputs.x'] * count)})"
        with suppress(ExpressionError):
            dumps(value(source, x=argument))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[len(''), len('中'), len([]), len({'a': 1})]", [0, 1, 0, 1]),
        (
            "[str(null), str(true), str(1.0), str('a'), str([1]), str({})]",
            ["null", "true", "1.0", "a", "[1]", "{}"],
        ),
        ("[int(2.9), int(-2.9), int(' +12 '), int('007')]", [2, -2, 12, 7]),
        ("[float(2), float('.5'), float('-1e2'), float(' 3 ')]", [2.0, 0.5, -100.0, 3.0]),
        ("[round(0.5), round(1.5), round(-0.5), round(1.005, 2), round(7)]", [1, 2, -1, 1.01, 7]),
        ("[round(1250, -2), round(1e300), round(2.5, 0)]", [1300, 10**300, 3.0]),
        ("[min(2, 1), max('a', 'b'), min([1.5]), sum([]), abs(-1.5)]", [1, "b", 1.5, 0, 1.5]),
        ("[split('a  b'), split('a,,b', ','), split('', ',')]", [["a", "b"], ["a", "", "b"], [""]]),
        ("[join([]), join(['a', 1.0, false], ', ')]", ["", "a, 1.0, false"]),
        ("replace('aaa', 'a', 'aa')", "aaaaaa"),
        ("sorted([2, 1.5, 1]) + sorted(['b', 'a'])", [1, 1.5, 2, "a", "b"]),
        (
            "sorted([{'k': 'b', 'n': 1}, {'k': 'a'}, {'k': 'b', 'n': 2}], 'k')[1:]",
            [{"k": "b", "n": 1}, {"k": "b", "n": 2}],
        ),
        (
            "unique([[1], [1.0], {'a': 1, 'b': 2}, {'b': 2, 'a': 1}, '1', null])",
            [[1], {"a": 1, "b": 2}, "1", None],
        ),
        ("unique([2 ** 80, 2.0 ** 80, 'x', 'x'])", [2**80, "x"]),
        (
            "[date(86400), date(-1), date(1.5), date('2026-11-23 23:59:00+08:00')]",
            ["1970-01-02", "1969-12-31", "1970-01-01", "2026-11-23"],
        ),
        (
            "format_date('2026-11-23T20:07:40.5Z', '%j %y %I%p %f %a %B %z %%')",
            "327 26 08PM 500000 Mon November +0000 %",
        ),
        (
            "[format_date('2026-11-23T20:07:40Z', '%s'), format_date('1970-01-02', '%s年')]",
            ["1795464460", "86400年"],
        ),
        ("date(now()) + format_date(now(), ' %H:%M:%S')", "2026-11-23 20:07:40"),
        ("parse_json('[1e2, \"中\", null]')", [100.0, "中", None]),
        ("to_json({'a': [1.0, '中', true]})", '{"a":[1.0,"中",true]}'),
        ("base64('中') + ' ' + url_encode('中/?&=~')", "5Lit %E4%B8%AD%2F%3F%26%3D~"),
        ("[url_encode(1.5), url_encode(true)]", ["1.5", "true"]),
    ],
)
def test_functions_in_detail(source: str, expected: object) -> None:
    """The corners of each function."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("lower(1)", "lower needs text, not a number"),
        ("len(1)", "len needs text, a list or an object, not a number"),
        ("keys([])", "keys needs an object, not a list"),
        ("sum('a')", "sum needs a list, not text"),
        ("sum([1, true])", "sum needs a number, not a boolean"),
        ("min([])", "min needs at least one item"),
        ("max([1, 'a'])", "a number and text have no order"),
        ("sorted([1, null])", "a number and null have no order"),
        ("sorted([{'a': 1}])", "an object and an object have no order"),
        ("sorted([{'a': 1}, {}], 'a')", "the object has no field `a` (there is none)"),
        ("int('1_000')", "int needs a text that spells a whole number"),
        ("int('１')", "int needs a text that spells a whole number"),
        ("int(true)", "int needs a number or text, not a boolean"),
        ("float('nan')", "float needs a text that spells a number"),
        ("float('1e999')", "the result is too large a number"),
        ("round(1, 99)", "round needs a whole number of places from -15 to 15"),
        ("split('a', '')", "split needs a separator that is not empty"),
        ("replace('a', '', 'b')", "replace needs a text to look for that is not empty"),
        ("join([1, null])", 'null cannot be written into a text; write `default(…, "")`'),
        ("date('tomorrow')", "date needs a date like 2026-11-23 or 2026-11-23T20:07:40Z"),
        ("date(1e18)", "date needs a date like 2026-11-23 or 2026-11-23T20:07:40Z"),
        ("date(null)", "date needs date text or seconds, not null"),
        ("parse_json('{\"secret\": 12,}')", "parse_json needs a text that is strict JSON"),
        ("url_encode([])", "a list cannot be written into a text; write `to_json(…)`"),
    ],
)
def test_functions_refuse_in_their_own_words(source: str, sentence: str) -> None:
    """Each refusal names the function's call and what it needs; it quotes no value."""
    assert error(source) == f"`{source}`: {sentence}"


def test_an_unknown_directive_of_a_date_lists_those_that_are_known() -> None:
    """Platforms differ in theirs; we have the same everywhere."""
    assert "format_date knows only %Y" in error("format_date(0, '%Q')")
    assert "format_date knows only %Y" in error("format_date(0, 'x%')")
