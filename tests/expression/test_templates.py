"""Text with ``${…}`` in it, and values that hold such text."""

from __future__ import annotations

import json

import pytest

from app.expression import compile_template, find_braces, split_template
from tests.expression.scopes import FixedScope, failure, template, template_issues


@pytest.mark.parametrize("data", [None, True, 1, 1.5, "a", [1], {"a": [None]}])
def test_a_text_that_is_one_expression_keeps_the_type(data: object) -> None:
    """The very value comes out, whatever it is."""
    assert template("${inputs.x}", x=data) is data


@pytest.mark.parametrize(("data", "text"), [(True, "true"), (1, "1"), (1.0, "1.0"), ("a", "a")])
def test_scalars_in_mixed_text_are_written(data: object, text: str) -> None:
    """Booleans as JSON words, numbers as JSON numbers."""
    assert template("<${inputs.x}|${inputs.x}>", x=data) == f"<{text}|{text}>"


@pytest.mark.parametrize(
    ("data", "what", "advice"),
    [
        (None, "null", 'default(…, "")'),
        ([], "a list", "to_json(…)"),
        ({}, "an object", "to_json(…)"),
    ],
)
def test_other_values_in_mixed_text_are_errors(data: object, what: str, advice: str) -> None:
    """The message names the expression and says what to write."""
    message = failure(compile_template("a ${inputs.x}"), FixedScope(inputs={"x": data}))
    assert message == f"`inputs.x`: {what} cannot be written into a text; write `{advice}`"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$${inputs.x}", "${inputs.x}"),
        ("$$${inputs.x}", "$${inputs.x}"),
        ("${'$'}${inputs.x}", "$1"),
        ("a$${b}c${inputs.x}", "a${b}c1"),
        ("$ {} $x {{inputs.x}} \\${'n'}", "$ {} $x {{inputs.x}} \\n"),
    ],
)
def test_dollar_signs(text: str, expected: str) -> None:
    """Only ``${`` begins an expression; ``$${`` is a literal one."""
    assert template(text, x=1) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('${ {"a": "}"}["a"] }', "}"),
        ("${{'a': {'b': 1}}}", {"a": {"b": 1}}),
        ("${'}' + \"}'\"}!", "}}'!"),
        ("${'\\'}'}.", "'}."),
        ("${[x for x in [{'a': 1}]][0].a}${2}", "12"),
    ],
)
def test_an_expression_ends_at_its_own_brace(text: str, expected: object) -> None:
    """Braces in objects and in texts do not end it."""
    assert template(text) == expected


def test_structure_is_kept_and_names_are_literal() -> None:
    """Lists and objects come out as written, with the expressions replaced."""
    source = {"a": ["${inputs.x}", {"b": "n${inputs.x}", "c": [1, None, "$${"]}], "{{d}}": "${ 1 }"}
    assert template(source, x=2) == {"a": [2, {"b": "n2", "c": [1, None, "${"]}], "{{d}}": 1}


def test_each_evaluation_builds_its_own_structure() -> None:
    """What one evaluation returned is not what the next one returns."""
    compiled = compile_template({"a": ["${1}"], "b": []})
    first, second = compiled.evaluate(FixedScope()), compiled.evaluate(FixedScope())
    assert first == second
    assert first["a"] is not second["a"]


@pytest.mark.parametrize(
    ("source", "is_constant"),
    [("text", True), ("$${x}", True), ({"a": [1, "b"]}, True), ("${1}", False), (["${1}"], False)],
)
def test_a_template_without_expressions_is_constant(source: object, is_constant: bool) -> None:
    """It is known to give one value only."""
    assert compile_template(source).constant is is_constant


@pytest.mark.parametrize(
    "payload", ["${7*7}", "{{7*7}}", "$${x}", "${inputs.x}", "#{7*7}", "%s{0}"]
)
def test_a_payload_is_never_evaluated(payload: str) -> None:
    """Text of the caller stays what it is, alone, mixed and inside a structure."""
    assert template("${inputs.x}", x=payload) == payload
    assert template("a${inputs.x}b", x=payload) == f"a{payload}b"
    assert template(["${inputs.x + inputs.x}"], x=payload) == [payload * 2]


def test_all_issues_of_a_value_are_reported_with_their_paths() -> None:
    """One run shows every mistake of every text, each at its own offset."""
    found = template_issues({"a": ["ok", "x ${b}"], "c": "${1 &&}${", "d": "${1}"})
    assert [(p.path, p.offset, p.length, p.code) for p in found] == [
        (("a", 1), 4, 1, "unknown-root"),
        (("c",), 4, 2, "wrong-operator"),
        (("c",), 7, 2, "unclosed"),
    ]


def test_a_computed_name_of_a_field_is_an_issue() -> None:
    """``${…}`` in a key would silently stay as it is, so it is refused."""
    (found,) = template_issues({"a": {"${inputs.k}": 1}})
    assert (found.code, found.path) == ("not-allowed", ("a", "${inputs.k}"))


def test_an_unclosed_quote_does_not_hide_the_next_expression() -> None:
    """Scanning goes on after the next brace."""
    found = template_issues("${it's} and ${b c}")
    assert [(p.offset, p.message) for p in found] == [
        (4, "the text that begins here is never closed"),
        (16, "`c` does not fit here"),
    ]


def test_a_value_nested_too_deeply_is_an_issue() -> None:
    """What JSON text could not hold is not compiled either."""
    source: object = "${1}"
    for _ in range(150):
        source = [source]
    assert {p.code for p in template_issues(source)} == {"too-deep"}


def test_the_pieces_of_a_text_are_the_text() -> None:
    """``split_template`` cuts without losing or changing a character."""
    text = "/a/${inputs.x}/$${b}/${'}'}${1}${open"
    pieces = split_template(text)
    assert "".join(piece for _, piece in pieces) == text
    assert pieces == [
        (0, "/a/"),
        (3, "${inputs.x}"),
        (14, "/$${b}/"),
        (21, "${'}'}"),
        (27, "${1}"),
        (31, "${open"),
    ]


def test_braces_of_other_template_languages_are_found() -> None:
    """``{{ x }}`` is literal, which the lint can warn about; braces of an expression are not."""
    (found,) = find_braces({"a": ["${ {'b': {'c': 1}}.b } {{ inputs.x }}"]})
    assert (found.code, found.offset, found.length, found.path) == ("braces", 23, 14, ("a", 0))
    assert found.hint == "write `${inputs.x}`"


def test_large_templates_compile() -> None:
    """Hundreds of expressions are one function."""
    source = {f"k{i}": f"${{inputs.x + {i}}}" for i in range(500)}
    assert json.dumps(template(source, x=1)) == json.dumps({f"k{i}": i + 1 for i in range(500)})
