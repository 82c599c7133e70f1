"""Names, fields, indexes, slices and ``default``."""

from __future__ import annotations

import keyword
import subprocess
import sys
from pathlib import Path

import pytest

from app.expression import compile_expression
from app.expression.scope import ROOTS
from tests.expression.scopes import FixedScope, error, failure, value

ROOT = Path(__file__).parents[2]
ORDER = {"id": 7, "items": [{"name": "shoe"}, {"name": "sock"}], "note": None, "tag": "abc"}


@pytest.mark.parametrize("root", ROOTS)
def test_every_root_reads_the_attribute_of_its_name(root: str) -> None:
    """Each of the ten names reads what the scope holds under it."""
    assert compile_expression(root).evaluate(FixedScope(**{root: {"a": 1}})) == {"a": 1}


def test_a_dot_reads_a_field_never_an_attribute() -> None:
    """``order.items`` is the field ``items``, not the method of a dictionary."""
    assert value("inputs.order.items[0].name", order=ORDER) == "shoe"


def test_an_attribute_of_python_is_not_there() -> None:
    """``__class__`` is a field like any other, and missing like any other."""
    assert "no field `__class__`" in error("inputs.order.__class__", order=ORDER)


@pytest.mark.parametrize("word", keyword.kwlist)
def test_keywords_of_python_are_field_names(word: str) -> None:
    """``order.class``, ``x.is`` and ``x.None`` read fields, also in the middle of a path."""
    assert value(f"inputs.{word}.{word} == inputs . {word}['{word}']", **{word: {word: 1}}) is True


def test_a_field_of_underscores_is_not_taken_for_a_keyword() -> None:
    """The underscores that replace keywords while parsing do not get in the way of real names."""
    assert value("inputs.__ + inputs.if", __=1, **{"if": 2}) == 3


def test_fields_and_texts_in_any_script() -> None:
    """Chinese names work, and offsets in errors are those of characters."""
    assert value('inputs.订单.名称 + "中"', 订单={"名称": "鞋"}) == "鞋中"
    assert error("'中文' + inputs.订单.价格", 订单={"名称": "鞋"}).startswith("`inputs.订单.价格`:")


def test_literal_and_computed_subscripts() -> None:
    """Text reads a field, a whole number an item, from either end."""
    assert value('inputs["order"]["items"][-1].name', order=ORDER) == "sock"
    assert (
        value("inputs.order[inputs.key][inputs.at - 1].name", order=ORDER, key="items", at=1)
        == "shoe"
    )


def test_slices_of_lists_and_texts() -> None:
    """All three parts of a slice are optional and may be computed."""
    assert value("inputs.a[1:] + inputs.a[:1] + inputs.a[::2]", a=[1, 2, 3]) == [2, 3, 1, 1, 3]
    assert value("inputs.t[inputs.n:-1]", t="abcdef", n=2) == "cde"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "inputs.order.idd",
            "`inputs.order.idd`: the object has no field `idd` (it has id, items, note, tag); "
            "did you mean `id`?",
        ),
        (
            "inputs.ordr.id",
            "`inputs.ordr`: there is no input `ordr` (it has order); did you mean `order`?",
        ),
        ("steps.login.body", "`steps.login`: no step `login` has a result here (there is none)"),
        (
            "inputs.order.items[2].name",
            "`inputs.order.items[2]`: the index is out of range: the list has a length of 2",
        ),
        (
            "inputs.order.tag[-4]",
            "`inputs.order.tag[-4]`: the index is out of range: the text has a length of 3",
        ),
        (
            "inputs.order.note.text",
            "`inputs.order.note.text`: there is no field `text`, "
            "because what it is read from is null",
        ),
        ("inputs.order.id.x", "`inputs.order.id.x`: a number has no field `x`"),
        ("inputs.order.items.name", "`inputs.order.items.name`: a list has no field `name`"),
        (
            "inputs.order.items.length",
            "`inputs.order.items.length`: a list has no field `length`; write `len(…)`",
        ),
        (
            "inputs.order[0]",
            "`inputs.order[0]`: the object has no such field (it has id, items, note, tag)",
        ),
        (
            "inputs.order.items[true]",
            "`inputs.order.items[true]`: a field is named by text and an item by a whole number, "
            "not by a boolean",
        ),
        (
            "inputs.order[0:1]",
            "`inputs.order[0:1]`: only a list or a text has slices, not an object",
        ),
        (
            "inputs.order.tag['a':]",
            "`inputs.order.tag['a':]`: the bounds of a slice are whole numbers, not text",
        ),
        ("inputs.order.tag[::0]", "`inputs.order.tag[::0]`: the step of a slice cannot be 0"),
        (
            "[x.nam for x in inputs.order.items]",
            "`x.nam`: the object has no field `nam` (it has name); did you mean `name`?",
        ),
        (
            "parse_json('{\"a\": 1}').b",
            "`parse_json('{\"a\": 1}').b`: the object has no field `b` (it has a)",
        ),
    ],
)
def test_what_is_missing_is_said_with_its_place(source: str, message: str) -> None:
    """An error names the part of the source that failed, what there is, and what was meant."""
    assert error(source, order=ORDER) == message


ROWS = [
    {"id": 1, "name": "a", "parts": [{"id": 7, "size": 3}], "more": [{"count": 1}]},
    {"id": 2, "label": "b", "parts": [{"id": 8}], "more": [{"number": 2}]},
]
NO_NAME = "`x.name`: the object has no field `name` (it has id, label, parts, more)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[x.name for x in inputs.rows]", NO_NAME),
        ("{x.name: 1 for x in inputs.rows}", NO_NAME),
        ("{str(x.id): x.name for x in inputs.rows}", NO_NAME),
        ("[1 for x in inputs.rows if x.name]", NO_NAME),
        ("join(x.name for x in inputs.rows)", NO_NAME),
        ("sum([len(x.name) for x in inputs.rows])", NO_NAME),
        ("[default(x.nope, x.name) for x in inputs.rows]", NO_NAME),
        ("[[x.name for y in x.parts] for x in inputs.rows]", NO_NAME),
        ("[[1 for y in [x.name]] for x in inputs.rows]", NO_NAME),
        ("[y for x in inputs.rows for y in x.parts if x.name]", NO_NAME),
        ("[1 for x in inputs.rows for y in x.parts for z in [x.name]]", NO_NAME),
        ("[len([x for x in x.parts]) + len(x.name) for x in inputs.rows]", NO_NAME),
        ("[[default([x.size for x in x.parts], 0), x.name] for x in inputs.rows]", NO_NAME),
        ("[x.id for x in inputs.rows] + [x.name for x in inputs.rows]", NO_NAME),
        (
            "[item.id for item in inputs.rows] + [item.y for y in inputs.rows]",
            "`item.y`: there is no field `y`, because what it is read from is null",
        ),
        (
            "[x.size for x in inputs.rows for x in x.parts]",
            "`x.size`: the object has no field `size` (it has id)",
        ),
        (
            "[[x.size for x in x.parts] for x in inputs.rows]",
            "`x.size`: the object has no field `size` (it has id)",
        ),
        (
            "[[x.count for x in x.more] for x in inputs.rows]",
            "`x.count`: the object has no field `count` (it has number)",
        ),
        (
            "[x.parts[1].id for x in inputs.rows]",
            "`x.parts[1]`: the index is out of range: the list has a length of 1",
        ),
        (
            "[item.size for item in inputs.rows[0].parts + inputs.rows[1].parts]",
            "`item.size`: the object has no field `size` (it has id)",
        ),
        (
            "[inputs.rows[x.id].name for x in inputs.rows]",
            "`inputs.rows[x.id].name`: the object has no field `name` (it has id, label, parts, "
            "more)",
        ),
        (
            "[inputs.nope for x in inputs.rows]",
            "`inputs.nope`: there is no input `nope` (it has rows)",
        ),
    ],
)
def test_inside_a_comprehension_the_reason_is_as_exact(source: str, message: str) -> None:
    """What is missing is told of the item whose turn it was, whatever is named like it."""
    assert error(source, rows=ROWS).startswith(message)


def test_errors_hold_no_values_and_no_names_of_secrets() -> None:
    """A computed key is a value; the names of other secrets are not told."""
    scope = FixedScope(secrets={"PIN": "1234"}, inputs={"map": {"a": 1}, "key": "KEY"})
    computed = failure(compile_expression("inputs.map[secrets.PIN]"), scope)
    assert computed == "`inputs.map[secrets.PIN]`: the object has no such field"
    unnamed = failure(compile_expression("secrets[inputs.key]"), scope)
    assert unnamed == "`secrets[inputs.key]`: the object has no such field"
    absent = failure(compile_expression("secrets.KEY"), scope)
    assert absent == "`secrets.KEY`: there is no secret `KEY`"


def test_a_list_of_fields_in_an_error_is_short_and_printable() -> None:
    """Data decides about neither the length nor the control characters of a message."""
    message = error(
        "inputs.o.x", o={"\x1b[31m": 1, "k" * 5000: 1, **{f"f{i}": i for i in range(5000)}}
    )
    assert len(message) < 300
    assert message.isprintable()


def test_a_python_that_keeps_no_columns_still_explains() -> None:
    """``-X no_debug_ranges`` costs the exact place, not the reason."""
    program = (
        "from app.expression import *\n"
        "from tests.expression.scopes import FixedScope\n"
        "try: compile_template(['${1}', '${1 + vars.x.y}']).evaluate(FixedScope())\n"
        "except ExpressionError as error: print(error.message)"
    )
    command = [sys.executable, "-X", "no_debug_ranges", "-c", program]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed == "`1 + vars.x.y`: a field or an item is missing\n"


@pytest.mark.parametrize(
    "source",
    [
        "default(inputs.nope, 5)",
        "default(inputs.nope.deeper[3].still, 5)",
        "default(inputs.order.note, 5)",
        "default(inputs.order.note.text, 5)",
        "default(inputs.order.items[9].name, 5)",
        "default(inputs.order[inputs.order.tag], 5)",
        "default(inputs.order.id.x, 5)",
        "default([x.nope for x in inputs.order.items], 5)",
        "default(default(inputs.nope, inputs.neither), 5)",
        "[x for x in default(inputs.nope, [5])][0]",
    ],
)
def test_default_forgives_what_is_missing_or_null(source: str) -> None:
    """Names, fields, indexes and null, at any depth of the first argument."""
    assert value(source, order=ORDER) == 5


@pytest.mark.parametrize("found", [0, False, "", [], {}])
def test_default_keeps_what_is_there(found: object) -> None:
    """An empty value is a value."""
    assert value("default(inputs.x, 5)", x=found) == found


@pytest.mark.parametrize(
    "source", ["default(1 / 0, 5)", "default(int('x'), 5)", "default(1 + 'a' * 2, 5)"]
)
def test_default_swallows_no_other_error(source: str) -> None:
    """What cannot be computed is a mistake, not an absence."""
    assert error(source)


def test_the_second_argument_of_default_waits() -> None:
    """It is not looked at unless it is needed, and its own errors are not forgiven."""
    assert value("default(inputs.a, inputs.nope)", a=1) == 1
    assert error("default(inputs.nope, inputs.neither)").startswith("`inputs.neither`")
