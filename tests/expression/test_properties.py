"""Properties that hold for every source and all data (hypothesis)."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.expression import (
    ROOTS,
    ExpressionError,
    ExpressionSyntaxError,
    compile_expression,
    compile_template,
)
from app.expression.functions import FUNCTIONS
from app.expression.limits import MAX_INTEGER, MAX_ITEMS, MAX_TEXT
from app.strict_json import dumps, loads
from tests.expression.scopes import FixedScope

within_time = settings(deadline=None, max_examples=200)

NAMES = ("a", "b", "class", "items", "中")
texts = st.text(max_size=8) | st.sampled_from(["${7*7}", "{{1}}", "$${x}", "1", "2026-11-23"])
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4)
    ),
    max_leaves=12,
)
scopes = st.builds(
    FixedScope,
    **dict.fromkeys(("inputs", "steps", "vars"), st.dictionaries(st.sampled_from(NAMES), values)),
    item=values,
)

ATOMS = st.sampled_from(
    [f"{root}.{name}" for root in ("inputs", "steps", "vars") for name in NAMES]
    + ["item", "x", "y", "true", "false", "null", "0", "1", "-3", "2.5", "1e300", "10 ** 300"]
    + ["''", "'ab'", '"中"', "'%Y'", "[]", "{}", "nope", "inputs"]
)
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in"]
OPERATORS += ["not in", "and", "or"]


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of smaller ones, with every construct of the language."""
    functions = st.sampled_from(sorted(FUNCTIONS))
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(OPERATORS), inner),
        st.builds("({} < {} <= {})".format, inner, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} {})".format, st.sampled_from(["-", "+", "not"]), inner),
        st.builds("{}({})".format, functions, arguments),
        st.builds("[{}]".format, arguments),
        st.builds("{{'a': {}, {}: {}}}".format, inner, inner, inner),
        st.builds("{}.{}".format, inner, st.sampled_from(NAMES)),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}:{}]".format, inner, inner, inner),
        st.builds("[{} for x in {} if {}]".format, inner, inner, inner),
        st.builds("{{{}: {} for x in {} for y in {}}}".format, inner, inner, inner, inner),
        st.builds("default({}, {})".format, inner, inner),
    )


expressions = st.recursive(ATOMS, _larger, max_leaves=15)
VOCABULARY = [*"()[]{}.,:+-*/%<>=!&|?#$'\"\\ \n", "${", "}", "{{", "$${", " and ", " if ", " else "]
VOCABULARY += [
    *ROOTS,
    *FUNCTIONS,
    "true",
    "x",
    "中",
    "１",
    "“",
    "1",
    "0.5",
    "for x in ",
    "lambda",
    "\x00",
]
soups = st.text(max_size=40) | st.lists(st.sampled_from(VOCABULARY), max_size=14).map("".join)


def _check_result(value: Any) -> None:
    """A result is JSON that can be read back, and no larger than the bounds say."""
    text = dumps(value)
    assert loads(text) == value
    text.encode()
    if isinstance(value, str):
        assert len(value) <= MAX_TEXT
    elif isinstance(value, list):
        assert len(value) <= MAX_ITEMS
    elif isinstance(value, int):
        assert abs(value) <= MAX_INTEGER


def _check_issues(error: ExpressionSyntaxError, source: str) -> None:
    """Every issue marks characters that are there."""
    assert error.issues
    for issue in error.issues:
        assert 0 <= issue.offset <= len(source)
        assert 1 <= issue.length <= max(1, len(source))


@within_time
@given(soups, scopes)
@example("${inputs.a", FixedScope())
@example("inputs.if + ''", FixedScope(inputs={"if": "b"}))
def test_any_text_is_an_expression_or_a_list_of_issues(source: str, scope: FixedScope) -> None:
    """Nothing that can be written raises anything but the two errors of the language."""
    for compile_source in (compile_expression, compile_template):
        try:
            result = compile_source(source).evaluate(scope)
        except ExpressionSyntaxError as error:
            _check_issues(error, source)
        except ExpressionError:
            pass
        else:
            _check_result(result)


@within_time
@given(expressions, scopes)
def test_any_expression_over_any_data_gives_a_value_or_an_error(
    source: str, scope: FixedScope
) -> None:
    """Whatever the language can say is bounded and safe to say about any data."""
    with contextlib.suppress(ExpressionSyntaxError, ExpressionError):
        _check_result(compile_expression(source).evaluate(scope))


@within_time
@given(expressions, scopes)
def test_a_template_gives_what_its_expression_gives(source: str, scope: FixedScope) -> None:
    """``${source}`` alone and in a structure is the bare expression, errors included."""
    bare = _outcome(compile_expression, source, scope)
    assert _outcome(compile_template, f"${{{source}}}", scope) == bare
    whole = _outcome(compile_template, {"k": ["literal", f"${{ {source} }}"]}, scope)
    assert whole == (bare if isinstance(bare, str) else ({"k": ["literal", *bare]},))


def _outcome(compile_source: Any, source: Any, scope: FixedScope) -> Any:
    """The value in a tuple, or the message of the error."""
    try:
        return (compile_source(source).evaluate(scope),)
    except (ExpressionSyntaxError, ExpressionError) as error:
        return str(error)


@within_time
@given(st.text(), scopes)
def test_a_payload_is_never_evaluated(payload: str, scope: FixedScope) -> None:
    """Data goes through texts, structures and expressions as it is."""
    scope = FixedScope(inputs={"x": payload})
    assert compile_template("${inputs.x}").evaluate(scope) == payload
    assert compile_template("<${inputs.x}>").evaluate(scope) == f"<{payload}>"
    assert compile_template([{"k": "${[inputs.x]}"}]).evaluate(scope) == [{"k": [payload]}]


@within_time
@given(values)
def test_a_constant_template_is_itself(value: Any) -> None:
    """Values without ``${`` come out as they went in."""
    if "${" not in dumps(value):
        compiled = compile_template(value)
        assert compiled.constant
        assert compiled.evaluate(FixedScope()) == value
        assert compiled.reads == ()


@within_time
@given(st.text(), st.text())
def test_dollar_brace_can_always_be_escaped(before: str, after: str) -> None:
    """Every text can be written so that it comes out literally."""
    text = f"{before}${{{after}"
    escaped = text.replace("${", "$${")
    assert compile_template(escaped).evaluate(FixedScope()) == text


def _arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/", "//", "%"])
    return st.builds("({} {} {})".format, inner, signs, inner) | st.builds("(-{})".format, inner)


sums = st.recursive(
    st.integers(0, 99).map(str) | st.floats(0.25, 99, width=16).map(repr), _arithmetic, max_leaves=8
)
signs_of_order = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
conditions = st.recursive(
    st.builds("({} {} {} {} {})".format, sums, signs_of_order, sums, signs_of_order, sums),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=4,
)


@within_time
@given(sums | conditions)
def test_arithmetic_and_order_are_those_of_python(source: str) -> None:
    """On numbers, each expression gives exactly what Python gives."""
    try:
        expected = (eval(source, {"__builtins__": {}}),)
    except ZeroDivisionError:
        assert "division by zero" in str(_outcome(compile_expression, source, FixedScope()))
    else:
        result = _outcome(compile_expression, source, FixedScope())
        assert result == expected
        assert type(result[0]) is type(expected[0])
