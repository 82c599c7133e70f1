"""Hostile sources and hostile data: every bound holds, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from app.expression.limits import MAX_ITEMS, MAX_TEXT
from app.strict_json import dumps, loads
from tests.expression.scopes import error, template, value

TOO_MUCH_WORK = "this is too much work for one expression: there is too much data"
TEXT = f"the text would be longer than {MAX_TEXT:,} characters"
LIST = f"the list would be longer than {MAX_ITEMS:,} items"
NUMBER = "the result is too large a number"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("2 ** 10000", NUMBER),
        ("2 ** 2 ** 2 ** 2 ** 2 ** 2", NUMBER),
        ("9 ** 999 * 9 ** 999", NUMBER),
        ("10 ** 999 * 10", NUMBER),
        ("-(10 ** 999) - 10 ** 999 * 9", NUMBER),
        ("1e308 * 10", NUMBER),
        ("1e308 + 1e308", NUMBER),
        ("10.0 ** 400", NUMBER),
        ("10 ** 400 / 3", NUMBER),
        ("10 ** 400 + 0.5", NUMBER),
        ("sum([1e308, 1e308])", NUMBER),
        ("float('9' * 400)", NUMBER),
        ("'a' * 1000001", TEXT),
        ("'a' * 10 ** 900", TEXT),
        ("10 ** 900 * 'a'", TEXT),
        ("'a' * 1000000 + 'b'", TEXT),
        ("join(['a' * 600000, 'a' * 600000])", TEXT),
        ("replace('a' * 1000, 'a', 'b' * 1001)", TEXT),
        ("upper('ΐ' * 400000)", TEXT),
        ("base64('a' * 900000)", TEXT),
        ("url_encode('é' * 100000 + 'a' * 700000)", TOO_MUCH_WORK),
        ("to_json(['a' * 600000] * 2)", TEXT),
        ("[0] * 100001", LIST),
        ("[0] * 10 ** 900", LIST),
        ("[0] * 60000 + [0] * 60000", LIST),
        ("split('a,' * 100001, ',')", LIST),
        ("[[0] * 1000] * 1000", TOO_MUCH_WORK),
        ("['a' * 1000000] * 100", TOO_MUCH_WORK),
        ("[[[y for y in inputs.n] for x in inputs.n] for z in inputs.n]", TOO_MUCH_WORK),
        ("[1 for x in inputs.n for y in inputs.n for z in inputs.n]", TOO_MUCH_WORK),
        ("[inputs.big for x in inputs.n]", TOO_MUCH_WORK),
        ("[1 for x in inputs.n if inputs.big == inputs.twin]", TOO_MUCH_WORK),
        ("[1 for x in inputs.n if -1 in inputs.big]", TOO_MUCH_WORK),
        ("[1 for x in inputs.n if inputs.text < inputs.text + 'b']", TOO_MUCH_WORK),
        ("[1 for x in inputs.n if 'b' in inputs.text]", TOO_MUCH_WORK),
        ("[sorted(inputs.big) for x in inputs.n]", TOO_MUCH_WORK),
        ("[sum(inputs.big) for x in inputs.n]", TOO_MUCH_WORK),
        ("[max(inputs.big) for x in inputs.n]", TOO_MUCH_WORK),
        ("[len(unique(inputs.big)) for x in inputs.n]", TOO_MUCH_WORK),
        ("[len(join(inputs.big)) for x in inputs.n]", TOO_MUCH_WORK),
        ("[len(to_json(inputs.big)) for x in inputs.n]", TOO_MUCH_WORK),
        ("[len(parse_json(inputs.json)) for x in inputs.n]", TOO_MUCH_WORK),
        ("[sha256(inputs.text) for x in inputs.n]", TOO_MUCH_WORK),
        ("[inputs.text[::-1][0] for x in inputs.n]", TOO_MUCH_WORK),
        ("[(inputs.big + [1])[0] for x in inputs.n]", TOO_MUCH_WORK),
        ("[str(3 ** 2000) for x in inputs.n for y in inputs.n]", TOO_MUCH_WORK),
    ],
)
def test_a_bound_is_an_error_that_names_it(source: str, reason: str) -> None:
    """Whatever would take too much time or room fails at once, with a sentence."""
    data = {
        "n": list(range(300)),
        "big": list(range(20_000)),
        "twin": list(range(20_000)),
        "text": "a" * 500_000,
        "json": dumps([[]] * 50_000),
    }
    assert error(source, **data).endswith(f": {reason}")


@pytest.mark.parametrize(
    "source",
    [
        "10 ** 999 + (10 ** 999 - 1) * 8",
        "1 - 10 ** 999",
        "1 ** 10 ** 900 + (-1) ** 10 ** 900",
        "'a' * 1000000",
        "[0] * 100000",
        "[x + 1 for x in inputs.n]",
        "sorted(inputs.n)[::-1]",
        "1.7976931348623157e308",
    ],
)
def test_what_is_within_the_bounds_works_and_can_be_read_back(source: str) -> None:
    """Results are JSON that our own strict reader accepts."""
    result = value(source, n=list(range(20_000)))
    assert loads(dumps(result)) == result


def test_a_text_of_the_caller_may_be_longer_than_one_that_is_made() -> None:
    """Reading, comparing with a literal and passing on cost nothing; making does."""
    long = "a" * (MAX_TEXT + 1)
    assert template("${inputs.t}", t=long) is long
    assert value("len(inputs.t) > 5 and inputs.t != 'a' and 'b' not in inputs.t", t=long) is True
    assert error("lower(inputs.t)", t=long).endswith("lower takes at most 1,000,000 characters")
    assert error("inputs.t[1:] + 'a'", t=long).endswith(TEXT)


def test_mixed_text_is_bounded() -> None:
    """Many values that are each short enough are together too long."""
    with pytest.raises(Exception, match="longer than 1,000,000 characters"):
        template("${inputs.t}" * 3, t="a" * 400_000)


def test_numbers_whose_hashes_collide_cost_no_more_than_others() -> None:
    """Multiples of 2⁶¹ - 1 all have Python's hash 0; ``unique`` does not depend on it."""
    colliding = [i * (2**61 - 1) for i in range(15_000)]
    assert value("len(unique(inputs.x))", x=colliding) == 15_000


def test_deeply_nested_data_is_compared_or_refused() -> None:
    """Nesting beyond what Python's stack holds is an expression error."""
    nested: list[Any] = []
    twin: list[Any] = []
    for _ in range(5_000):
        nested, twin = [nested], [twin]
    assert "nested too deeply" in error("inputs.a == inputs.b", a=nested, b=twin)
    assert error("to_json(inputs.a)", a=nested)
