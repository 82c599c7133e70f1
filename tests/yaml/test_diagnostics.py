"""Findings: their order, their rendering for people and for tools, and near words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.words import did_you_mean
from app.yaml.diagnostics import Diagnostic, Severity, render, to_json


def diagnostic(line: int, column: int, length: int = 1, hint: str | None = None) -> Diagnostic:
    return Diagnostic(line, column, Severity.ERROR, "unknown-key", "unknown key `x`", hint, length)


def test_findings_sort_by_their_place() -> None:
    """A report reads from top to bottom, whatever found what first."""
    found = [diagnostic(2, 1), diagnostic(1, 9, hint="b"), diagnostic(1, 9), diagnostic(1, 2)]
    assert [(each.line, each.column) for each in sorted(found)] == [(1, 2), (1, 9), (1, 9), (2, 1)]


def test_render_shows_headline_line_caret_and_hint() -> None:
    """The four parts stand below each other, the caret under the word."""
    source = "steps:\n  - id: a\n    tiemout: 5s\n"
    text = render("flows/a/v1.yaml", source, diagnostic(3, 5, 7, "write `timeout` instead"))
    assert text.split("\n") == [
        "flows/a/v1.yaml:3:5: error unknown-key unknown key `x`",
        "    3 |     tiemout: 5s",
        "      |     ^^^^^^^",
        "      = write `timeout` instead",
    ]


def test_render_without_a_hint_ends_with_the_caret() -> None:
    """No hint, no line for it."""
    assert render("f", "a: 1", diagnostic(1, 1)).endswith("      | ^")


@pytest.mark.parametrize(
    ("source", "column", "length", "shown", "caret"),
    [
        ("存款: 余额", 5, 2, "存款: 余额", "      ^^^^"),
        ("cafe\u0301: x", 8, 1, "cafe\u0301: x", "      ^"),
        ("\ta\tb", 4, 1, "    a    b", "         ^"),
        ("a\x1b[31mb", 7, 1, "a\\x1b[31mb", "         ^"),
        ("a\u202eb", 3, 1, "a\\u202eb", "       ^"),
        ("a", 2, 1, "a", " ^"),
        ("abc", 2, 99, "abc", " ^^"),
    ],
)
def test_caret_stands_under_its_character(
    source: str, column: int, length: int, shown: str, caret: str
) -> None:
    """Wide, combining, tabulated and escaped characters all take the columns they show."""
    _, line, below = render("f", source, diagnostic(1, column, length)).split("\n")
    assert line == f"    1 | {shown}"
    assert below == f"      | {caret}"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_break_counts(newline: str) -> None:
    """Lines are counted as YAML counts them."""
    assert "    2 | bb\n" in render("f", newline.join(["a", "bb", "c"]), diagnostic(2, 1))


def test_long_lines_are_cut_around_the_caret() -> None:
    """A line of thousands of characters shows what is next to the mistake."""
    _, line, below = render("f", "x" * 3000 + "HERE" + "y" * 3000, diagnostic(1, 3001, 4)).split(
        "\n"
    )
    assert len(line) < 120
    assert line[below.index("^") : below.rindex("^") + 1] == "HERE"


def test_headline_alone_for_a_line_that_does_not_exist() -> None:
    """A finding of another version of the file is still shown."""
    assert render("f", "a", diagnostic(7, 1)) == "f:7:1: error unknown-key unknown key `x`"


def test_control_characters_of_path_and_message_are_escaped() -> None:
    """A key with an escape sequence cannot steer the terminal."""
    found = Diagnostic(1, 1, Severity.WARNING, "c", "key `\x1b[2J`", "write `\x07`")
    assert "\x1b" not in (text := render("a\x1b", "a", found))
    assert "\x07" not in text
    assert "key `\\x1b[2J`" in text


def test_to_json_holds_every_field() -> None:
    """Tools get what people get."""
    assert to_json("p", diagnostic(3, 5, 7, "write `timeout` instead")) == {
        "path": "p",
        "line": 3,
        "column": 5,
        "length": 7,
        "severity": "error",
        "code": "unknown-key",
        "message": "unknown key `x`",
        "hint": "write `timeout` instead",
    }


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("tiemout", "timeout"),
        ("Timeout", "timeout"),
        ("user_name", "userName"),
        ("stpes", "steps"),
        ("elephant", None),
        ("", None),
        ("t" * 100_000, None),
    ],
)
def test_did_you_mean(word: str, near: str | None) -> None:
    """A slip of the fingers or of the shift key is recognised, an unrelated word is not."""
    assert did_you_mean(word, ["timeout", "userName", "steps"]) == near


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=300), st.integers(1, 9), st.integers(1, 400), st.integers(1, 400))
def test_render_takes_any_text(source: str, line: int, column: int, length: int) -> None:
    """Whatever the file holds, the report is printable lines, with the caret inside them."""
    text = render("f", source, diagnostic(line, column, length))
    assert all(shown.isprintable() for shown in text.split("\n"))
    assert text.encode()
