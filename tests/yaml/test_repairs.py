"""Reading goes on behind a mistake: all mistakes in one run, and no line blamed for another."""

from __future__ import annotations

import re

import pytest

from app.yaml.diagnostics import Diagnostic
from app.yaml.document import YamlError, load


def diagnostics(text: str) -> list[Diagnostic]:
    """All that the loader has to say, whether there is a document or not."""
    try:
        return load(text).diagnostics
    except YamlError as error:
        return error.diagnostics


def test_all_mistakes_of_a_file_are_found_in_one_run() -> None:
    """After a mistake with an evident repair, reading goes on with what was meant."""
    document = load(
        "name: {{ x }}\n"
        "message: Error: no\n"
        "json: {a: ${x}, b: ${y}}\n"
        "if: !x\n"
        "then:\n"
        "  - return：{}\n"
        "  - log: @all\n"
        "name: again\n"
    )
    assert [(each.line, each.column, each.code) for each in document.diagnostics] == [
        (1, 7, "template-braces"),
        (2, 15, "unquoted-colon"),
        (3, 11, "unquoted-expression"),
        (3, 20, "unquoted-expression"),
        (4, 5, "yaml-tag"),
        (6, 11, "full-width"),
        (7, 10, "reserved-character"),
        (8, 1, "duplicate-key"),
    ]
    assert document.data == {
        "name": "${ x  }",
        "message": "Error: no",
        "json": {"a": "${x}", "b": "${y}"},
        "if": "not x",
        "then": [{"return": {}}, {"log": "@all"}],
    }


def test_places_after_a_repair_are_those_of_the_file() -> None:
    """A later stage reports on the line the author sees, not on the repaired one."""
    document = load("a: [${x}, ${bad + }, last]\n")
    assert document.data == {"a": ["${x}", "${bad + }", "last"]}
    assert document.locate(("a", 1), 6) == (1, 17)
    assert (document.places["a", 2].column, document.places["a", 2].length) == (22, 4)


def test_mistakes_before_a_fatal_one_are_reported_too() -> None:
    """What cannot be read hides nothing that was read."""
    found = diagnostics("a: 1\na: 2\nb:\n\tc: 1\n")
    assert [(each.line, each.code) for each in found] == [(2, "duplicate-key"), (4, "tab")]


EXAMPLE = """\
name: 示例流程
mode: sync                       # sync | async

inputs:
  userName: string
  password: {type: string, secret: true}

steps:
  - id: login
    http: POST /example/user/login
    json:
      userName: ${inputs.userName}

  - if: not steps.login.body.loginFlag
    then:
      - return: {}               # FINISH, every output null

  - return:
      userName: ${steps.login.body.userName}
"""
ENTRIES = [number for number, line in enumerate(EXAMPLE.split("\n")) if re.search(r": \S", line)]


def test_the_example_has_no_mistake() -> None:
    """A good file has no findings."""
    assert diagnostics(EXAMPLE) == []


@pytest.mark.parametrize("number", ENTRIES)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (r": ", ":\t@"),
        (r": ", ": {{ x }} "),
        (r": (?=\S)", ": 'x' == "),
        (r": (?=\S)", ": 'x"),
        (r": (?=\S)", ": [x, "),
        (r": (?=\S)", ": x: "),
        (r": (?=\S)", ": - "),
        (r": ", "："),
        (r"(?<=\S): ", ":"),
        (r": .*", ": ${a #b}"),
        (r": .*", ": ${a ? b : c}"),
        (r": .*", ': "\\\\d"'),
        (r": .*", ": {a: ${b}}"),
        (r"$", "\n: x"),
        (r"^ *", r"\t"),
    ],
)
def test_a_mistake_is_reported_on_its_own_line(number: int, before: str, after: str) -> None:
    """Wherever a mistake is made in a real flow, no other line is blamed."""
    lines = EXAMPLE.split("\n")
    lines[number] = re.sub(before, after, lines[number], count=1)
    blamed = {each.line for each in diagnostics("\n".join(lines))}
    assert blamed == {number + 1 + ("\n" in lines[number])}
