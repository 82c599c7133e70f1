"""The loader on anything at all: it never raises, and its places are real."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalog.loader import LoadedFlow, identity, load_flow
from app.cli.flows import STARTER
from app.cli.tree import describe_flow
from app.engine.compiler import compile_flow
from app.language.environment import CallableFlows, Environment
from app.language.inputs import TYPES
from app.verbs import VERBS
from app.yaml.diagnostics import Severity, render

ROOT = Path(__file__).parent.parent.parent
SHIPPED = [file.read_text(encoding="utf-8") for file in sorted(ROOT.glob("flows/*/*.yaml"))]
BROKEN = [file.read_bytes() for file in sorted(ROOT.glob("tests/lint/broken/*/*.y*ml"))]
TEXTS = [*SHIPPED, STARTER.read_text(encoding="utf-8")]

ALONE = Environment(flows=CallableFlows({}, {}))
"""A process without any other flow."""

some = settings(deadline=None, max_examples=150)


def check(text: str | bytes) -> LoadedFlow:
    """Load a text, and check the result against all that is promised about it."""
    loaded = load_flow(PurePath("flow/v1.yaml"), text, ALONE)
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lines = re.split(r"\r\n|\r|\n", decoded.removeprefix("\ufeff"))
    for diagnostic in loaded.diagnostics:
        assert 1 <= diagnostic.line <= len(lines), diagnostic
        line = lines[diagnostic.line - 1]
        assert 1 <= diagnostic.column <= len(line) + 1, (diagnostic, line)
        assert 1 <= diagnostic.length <= max(1, len(line) - diagnostic.column + 1), (
            diagnostic,
            line,
        )
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", diagnostic.code)
        assert diagnostic.message
        render("flow/v1.yaml", decoded, diagnostic)
    errors = [each for each in loaded.diagnostics if each.severity is Severity.ERROR]
    assert (loaded.flow is None) == bool(errors)
    assert list(loaded.diagnostics) == sorted(loaded.diagnostics)
    if loaded.flow is not None:
        compile_flow(loaded.flow, decoded)
        assert describe_flow(loaded.flow)
    return loaded


def test_shipped_flows_are_flows() -> None:
    """The flows of the package and the starter file load without a diagnostic."""
    for text in TEXTS:
        loaded = check(text)
        assert loaded.flow is not None
        assert loaded.diagnostics == ()


def test_broken_files_keep_the_promises_too() -> None:
    """Every diagnostic of the broken folder has a real place."""
    for data in BROKEN:
        check(data)


@some
@given(st.text())
def test_any_text(text: str) -> None:
    """Text that is no flow gives diagnostics, never an exception."""
    check(text)


@some
@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """Neither do bytes that are no text."""
    check(data)


WORDS_OF_THE_LANGUAGE = """
    id name when timeout retry on_error http set if then else switch return fail log query headers
    json form body expect message code level times on delay type required default enum min max
    pattern max_length secret items properties inputs outputs steps mode enabled x _schema value
    for_each concurrency collect max_items repeat until every max parallel wait call with
"""
KEYS = st.sampled_from(WORDS_OF_THE_LANGUAGE.split())
WORDS = st.sampled_from(
    [
        "GET https://a.example/${inputs.x}", "${inputs.x}", "${steps.x.body.y}", "${vars.x}",
        "inputs.x == 1", "${x", "string", "integer", "list", "object", "date", "sync", "continue",
        "5s", "x", "2xx", "inputs.x", "a/v1", "first", "error", "[a-z]+", "2026-11-23",
        "${default(vars.x, 1)}", "",
    ]
)  # fmt: skip
VISIBLE = st.text(st.characters(exclude_categories=["C"]), max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 600),
    st.floats(allow_nan=False, allow_infinity=False),
    WORDS,
    VISIBLE,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(KEYS | VISIBLE, inner, max_size=5)
    ),
    max_leaves=20,
)
DECLARATIONS = st.dictionaries(
    st.sampled_from(["x", "y", "value", "_schema", "user-name"]),
    st.one_of(st.sampled_from(TYPES), WORDS, st.dictionaries(KEYS, SCALARS, max_size=5), VALUES),
    max_size=4,
)
CONDITIONS = st.sampled_from(
    ["inputs.x", "vars.x == 1", "default(steps.x.status, 0) > 1", "x = 1", "true", "error.kind"]
)
TEMPLATES = st.dictionaries(st.sampled_from(["x", "y", "z"]), WORDS | SCALARS, max_size=3)
STEPS = st.deferred(lambda: st.lists(STEP, max_size=3))
STEP: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"set": TEMPLATES}),
    st.fixed_dictionaries({"return": TEMPLATES}, optional={"when": CONDITIONS}),
    st.fixed_dictionaries({"log": WORDS}, optional={"when": CONDITIONS}),
    st.fixed_dictionaries(
        {"for_each": CONDITIONS | VALUES, "steps": STEPS},
        optional={"concurrency": st.integers(0, 3), "collect": CONDITIONS, "id": KEYS},
    ),
    st.fixed_dictionaries(
        {"repeat": st.dictionaries(KEYS, CONDITIONS, max_size=3) | VALUES, "steps": STEPS}
    ),
    st.fixed_dictionaries(
        {"parallel": st.dictionaries(KEYS, STEPS, max_size=3) | VALUES},
        optional={"wait": WORDS, "id": KEYS},
    ),
    st.fixed_dictionaries({"call": WORDS}, optional={"with": TEMPLATES | VALUES}),
    st.fixed_dictionaries({"wait": WORDS}),
    st.fixed_dictionaries({"fail": st.fixed_dictionaries({"message": WORDS})}),
    st.fixed_dictionaries({"if": CONDITIONS, "then": STEPS}, optional={"else": STEPS}),
    st.fixed_dictionaries(
        {"id": st.sampled_from(["x", "y"]), "http": WORDS},
        optional={"json": TEMPLATES, "on_error": STEPS, "retry": st.integers(0, 3), "x": VALUES},
    ),
    st.lists(
        st.fixed_dictionaries({"when": CONDITIONS, "then": STEPS})
        | st.fixed_dictionaries({"else": STEPS}),
        max_size=3,
    ).map(lambda cases: {"switch": cases}),
    st.dictionaries(KEYS | st.sampled_from([*VERBS]), VALUES, max_size=4),
    VALUES,
)
FLOWS = st.fixed_dictionaries(
    {
        "inputs": DECLARATIONS,
        "outputs": st.dictionaries(st.sampled_from("xyz"), st.sampled_from(TYPES)),
        "steps": STEPS,
    },
    optional={"mode": WORDS, "timeout": WORDS, "name": SCALARS, "stepz": VALUES},
)


@some
@given(FLOWS | VALUES)
def test_anything_that_looks_like_a_flow(value: Any) -> None:
    """Every combination of the language's words, right or wrong; JSON is YAML."""
    check(json.dumps(value, ensure_ascii=False, indent=2))


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("parallel: {_schema: [{log: '${x'}], b: [{log: b}]}", ("_schema", "${")),
        ("set: {a: '${x', _schema: '${y'}", ("${",)),
        ("check: inputs\n    schema: {type: object, properties: {_schema: {type: x1}}}", ("x1",)),
        ("http: GET https://example.com/\n    headers: {_schema: '${x'}", ("${",)),
        ("log: hello\n    _schema: 1", ("_schema",)),
    ],
)
def test_an_author_may_write_a_word_of_marshmallow(line: str, marked: tuple[str, ...]) -> None:
    """``_schema`` is where marshmallow says what concerns a whole object; here it is a key."""
    text = f"steps:\n  - {line}\n    id: a\n"
    lines, diagnostics = text.splitlines(), check(text).diagnostics
    assert len(diagnostics) >= len(marked)
    for each in diagnostics:
        assert lines[each.line - 1][each.column - 1 :].startswith(marked), each


def edits(lines: list[str]) -> st.SearchStrategy[list[str]]:
    """The lines with a few deletions, duplications, exchanges, and shifts of indentation."""
    places = st.integers(0, len(lines) - 1)
    edit = st.tuples(st.sampled_from(["delete", "double", "swap", "indent", "outdent"]), places)

    def apply(changes: list[tuple[str, int]]) -> list[str]:
        changed = list(lines)
        for what, place in changes:
            at = place % max(1, len(changed))
            if not changed:
                break
            if what == "delete":
                del changed[at]
            elif what == "double":
                changed.insert(at, changed[at])
            elif what == "swap":
                changed[at], changed[-1 - at] = changed[-1 - at], changed[at]
            else:
                line = changed[at]
                changed[at] = f"  {line}" if what == "indent" else line.removeprefix("  ")
        return changed

    return st.lists(edit, min_size=1, max_size=4).map(apply)


@some
@given(st.sampled_from(TEXTS).flatmap(lambda text: edits(text.splitlines())))
def test_flows_whose_lines_were_moved(lines: list[str]) -> None:
    """Lines deleted, doubled, exchanged and shifted, as editing does."""
    check("\n".join(lines))


@some
@given(
    st.sampled_from(TEXTS).flatmap(
        lambda text: st.tuples(
            st.just(text),
            st.integers(0, len(text)),
            st.integers(0, 12),
            st.one_of(st.text(max_size=3), st.sampled_from(list("{}[]:#&*!|>'\"%@`$,-\t\n\u3000"))),
        )
    )
)
def test_flows_with_slips_of_the_keyboard(change: tuple[str, int, int, str]) -> None:
    """A few characters put in, left out, or replaced by others, at any place."""
    text, start, length, new = change
    check(text[:start] + new + text[start + length :])


@some
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_path(folder: str, name: str) -> None:
    """A path names a flow exactly when its key and version do; a wrong one is an error."""
    path = PurePath("/") / folder.replace("/", "") / name.replace("/", "")
    loaded = load_flow(path, SHIPPED[0], Environment())
    assert (loaded.flow is None) == (identity(path) is None)
