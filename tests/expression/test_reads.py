"""What a compiled expression says of itself: which roots it reads, and where."""

from __future__ import annotations

import pytest

from app.expression import compile_expression, compile_template


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("inputs", [("inputs",)]),
        ("steps.login.body.userId", [("steps", "login", "body", "userId")]),
        ('steps["login"]["a b"].c', [("steps", "login", "a b", "c")]),
        ("steps.list.body[0].id", [("steps", "list", "body")]),
        ("steps.list.body[-1:].id", [("steps", "list", "body")]),
        ("steps[inputs.which].body", [("steps",), ("inputs", "which")]),
        ("inputs.a + vars.b * 2", [("inputs", "a"), ("vars", "b")]),
        ("[x.id for x in inputs.list if x.n > item.n]", [("inputs", "list"), ("item", "n")]),
        ("[item.a for item in inputs.items]", [("inputs", "items")]),
        ("inputs.class.is", [("inputs", "class", "is")]),
        ("'inputs.a' + str(1)", []),
    ],
)
def test_reads_are_the_static_paths(source: str, paths: list[tuple[str, ...]]) -> None:
    """Each read of a root, up to the first index that is not a literal text."""
    assert [read.path for read in compile_expression(source).reads] == paths


def test_a_read_covers_its_characters() -> None:
    """Offset and length mark the path in its text, also after other scripts."""
    text = "中 ${ 'é' + inputs.a.b[0].c }${vars.x}"
    reads = compile_template({"k": [text]}).reads
    marked = [text[read.offset : read.offset + read.length] for read in reads]
    assert marked == ["inputs.a.b", "vars.x"]
    assert {read.where for read in reads} == {("k", 0)}


def test_reads_inside_default_are_safe() -> None:
    """Only those in the first argument, however deep."""
    source = "default(inputs.a + len(inputs.b), inputs.c) + default(inputs.d, default(inputs.e, 1))"
    safe = {read.path[1]: read.safe for read in compile_expression(source).reads}
    assert safe == {"a": True, "b": True, "c": False, "d": True, "e": True}


@pytest.mark.parametrize(
    ("source", "is_constant"), [("true", True), ("-1", True), ("1 + 1", False)]
)
def test_a_literal_condition_is_constant(source: str, is_constant: bool) -> None:
    """``if: true`` can be told from a condition."""
    assert compile_expression(source).constant is is_constant


def test_the_source_is_kept() -> None:
    """For people who want to see a flow as a tree."""
    assert compile_expression("inputs.a > 1").source == "inputs.a > 1"
    assert compile_template("a ${inputs.a}").source == "a ${inputs.a}"
    assert compile_template(["${inputs.a}"]).source == ""
