"""Mistakes in flow files: each is found once, at its very character, with what to write instead."""

from __future__ import annotations

import re

import pytest
import yaml

from app.spec.diagnostics import Finding, Severity
from app.spec.yaml import Parser, YamlError, load

PARSERS: list[Parser] = [yaml.CSafeLoader, yaml.SafeLoader]


def findings(text: str, parser: Parser = yaml.CSafeLoader) -> list[Finding]:
    """All that the loader has to say, whether there is a document or not."""
    try:
        return load(text, parser=parser).findings
    except YamlError as error:
        return error.findings


MISTAKES = [
    # expressions and other template languages
    ("url: {{ x }}\nb: 1\n", 1, 6, "template-braces", "write `url: ${x}`"),
    ("- url: {{ x }}/y\n", 1, 8, "template-braces", "write `url: ${x}/y`"),
    ("url: {{ a }}{{ b }}: c\n", 1, 6, "template-braces", '"${a}${b}: c"'),
    ("- {{ x }}\n", 1, 3, "template-braces", "write `${x}`"),
    ("a: {b: {{ x }}, c: 1}\n", 1, 8, "template-braces", 'write `"${x}"`'),
    ("a: {% if x %}\n", 1, 4, "template-braces", '"{% if x %}"'),
    ("json: {userName: ${inputs.userName}}\n", 1, 18, "unquoted-expression", '`"${inputs.userName}"`'),
    ("a: [1, ${f(x, y)}, 2]\n", 1, 8, "unquoted-expression", '`"${f(x, y)}"`'),
    ('a: [x${b["k"]}y]\n', 1, 5, "unquoted-expression", """`'x${b["k"]}y'`"""),
    ("a: [\n  1,\n  ${x}\n]\n", 3, 3, "unquoted-expression", '`"${x}"`'),
    ("a: {path: b[0]}\n", 1, 11, "unquoted-bracket", '`"b[0]"`'),
    ("a: ${x #y}\nb: 1\n", 1, 8, "comment-in-value", '`a: "${x #y}"`'),
    ("a: ${x #y} # z\n", 1, 8, "comment-in-value", '`a: "${x #y}"`'),
    ("if: a == ' #b'\n", 1, 12, "comment-in-value", """`if: "a == ' #b'"`"""),
    ("a: ${b ? c : d}\n", 1, 12, "unquoted-colon", "write `${c if b else d}`"),
    ("if: a ? b : c\n", 1, 11, "unquoted-colon", "write `b if a else c`"),
    ("if: 'a' == x\nb: 1\n", 1, 9, "text-after-value", """write `if: "'a' == x"`"""),
    ('if: "a" == x # c\n', 1, 9, "text-after-value", """write `if: '"a" == x'`"""),
    ("a: [1, 2] + x\n", 1, 11, "text-after-value", 'write `a: "[1, 2] + x"`'),
    ("a: 'x\n  y' z\n", 2, 6, "text-after-value", "quotes"),
    ("if: !x\nb: 1\n", 1, 5, "yaml-tag", "write `not x`"),
    ("if: !(a or b) and c\n", 1, 5, "yaml-tag", "write `not (a or b) and c`"),
    ("if: !{a}\n", 1, 5, "yaml-tag", "write `not {a}`"),
    ("a: {b: !x}\n", 1, 8, "yaml-tag", "write `not x`"),
    # tags, anchors, aliases
    ("a: !!python/object/apply:os.system [x]\n", 1, 4, "yaml-tag", "delete the tag"),
    ("a: !!str 1\n", 1, 4, "yaml-tag", "delete the tag"),
    ("!!map\na: 1\n", 1, 1, "yaml-tag", "delete the tag"),
    ("a: !<x\n", 1, 4, "yaml-tag", "delete the tag"),
    ("!!str a: 1\n", 1, 1, "yaml-tag", "delete the tag"),
    ("a: *b\n", 1, 4, "undefined-alias", 'write `a: "*b"`'),
    ("a: {b: *c, d: 1}\n", 1, 8, "undefined-alias", '"*c"'),
    ("a: &b [*b]\n", 1, 8, "recursive-alias", None),
    ("a: &k x\n*k : 1\n", 2, 1, "non-string-key", None),
    ("a: &b\n", 1, 4, "reserved-character", 'write `a: "&b"`'),
    ("a: & b\n", 1, 4, "reserved-character", 'write `a: "& b"`'),
    ("a: &b c\n", 1, 4, "unused-anchor", "in quotes"),
    ("a: &b {x: 1}\nc:\n  <<: *b\n", 3, 3, "merge-key", "write the keys out"),
    # characters that YAML keeps for itself
    ("a: * b\n", 1, 4, "reserved-character", 'write `a: "* b"`'),
    ("a: @b\n", 1, 4, "reserved-character", 'write `a: "@b"`'),
    ("- `b`\n", 1, 3, "reserved-character", 'write `"`b`"`'),
    ("a: %b\n", 1, 4, "reserved-character", 'write `a: "%b"`'),
    ("a: > 5\n", 1, 4, "reserved-character", 'write `a: "> 5"`'),
    ("a: |x\n", 1, 4, "reserved-character", 'write `a: "|x"`'),
    ("a: ? b\n", 1, 4, "reserved-character", 'write `a: "? b"`'),
    ("a: , b\n", 1, 4, "reserved-character", 'write `a: ", b"`'),
    ("a: [@b, c]\n", 1, 5, "reserved-character", '"@b"'),
    ("a: 1\n%b: 1\n", 2, 1, "yaml-directive", "in quotes"),
    ("# x\n%YAML 1.2\n---\na: 1\n", 2, 1, "yaml-directive", "delete"),
    # colons
    ("message: Error: no\nb: 1\n", 1, 15, "unquoted-colon", 'write `message: "Error: no"`'),
    ("- 消息: 错误: 无 # c\n", 1, 9, "unquoted-colon", 'write `消息: "错误: 无"`'),
    ("a: {b: c: d}\n", 1, 9, "unquoted-colon", '"c: d"'),
    ("then: return: {}\n", 1, 13, "unquoted-colon", "on lines of its own"),
    ("a: 1\nb:2\nc: 3\n", 2, 1, "missing-space", "write `b: 2`"),
    ("a:1\nb: 2\n", 1, 1, "missing-space", "write `a: 1`"),
    ("a:1", 1, 1, "missing-space", "write `a: 1`"),
    ("a: {b:c, d: 1}\n", 1, 5, "missing-space", "write `b: c`"),
    ("- set:{a: 1}\n", 1, 3, "missing-space", "write `set: {a: 1}`"),
    ("- return:{}\n", 1, 3, "missing-space", "write `return: {}`"),
    ("a:\n  b:1\n", 2, 3, "missing-space", "write `b: 1`"),
    ("a:\n  b:1\n  c:2\n", 2, 3, "missing-space", "write `b: 1`"),
    ("a: 1\nb:\u3000x\nc: 1\n", 2, 1, "missing-space", "write `b: x`"),
    ("a: 1\n名称：x\nb: 2\n", 2, 3, "full-width", "write `名称: x`"),
    ("a: {b: x， c: 2}\n", 1, 9, "full-width", "write `, `"),
    ("a: 1\nb = 2\nc: 3\n", 2, 3, "equals-sign", "write `b: 2`"),
    ("a:\n  then\n  - b: 1\n", 2, 3, "missing-colon", "write `then:`"),
    ("a: b\nsome more text\nc: 1\n", 2, 1, "missing-colon", "indent the line"),
    ("a: 1\n: b\n", 2, 1, "unexpected-character", "delete"),
    # quotes
    ('a: "x\nb: 1\n', 1, 4, "unclosed-quote", 'write `"x"`'),
    ('a: 1\nb: "x # y\nc: "z"\nd: 1\n', 2, 4, "unclosed-quote", 'write `"x"`'),
    ("a: 'x\nb: 'y'\n", 1, 4, "unclosed-quote", "write `'x'`"),
    ('a: "x\nb: y"\nc: 1\n', 1, 4, "unclosed-quote", 'write `"x"`'),
    ('- "x\n- "y"\n', 1, 3, "unclosed-quote", 'write `"x"`'),
    ("a: 'it's'\n", 1, 7, "quote-in-quotes", """write `"it's"`"""),
    ('a: "say "x""\n', 1, 9, "quote-in-quotes", """write `'say "x"'`"""),
    ('a: "\\d+"\n', 1, 5, "bad-escape", "write `\\\\d`"),
    ('a: "\\xZZ"\n', 1, 5, "bad-escape", "single quotes"),
    # brackets
    ("a: [x\nb: 1\n", 1, 4, "unclosed-bracket", "write `[x]`"),
    ("a: {x: 1, y: 2\nb: 1\n", 1, 4, "unclosed-bracket", "write `{x: 1, y: 2}`"),
    ('- a: ["x"\n- b: 1\n', 1, 6, "unclosed-bracket", 'write `["x"]`'),
    ("a: {b: [1}\n", 1, 10, "mismatched-bracket", "write `]`"),
    ("a: {b: 1}}\n", 1, 10, "unexpected-character", "delete"),
    ("a: {b: 1 c: 2}\n", 1, 10, "missing-comma", "`,`"),
    ('a: {b: "x" c: 2}\n', 1, 12, "missing-comma", "`,`"),
    ("a: [1,, 2]\n", 1, 7, "missing-value", "delete"),
    # indentation and dashes
    ("a:\n\tb: 1\n", 2, 1, "tab", "spaces"),
    ("a:\n  b: 1\n\tc: 1\n", 3, 1, "tab", "spaces"),
    ("a: |\n\tb\n", 2, 1, "tab", "spaces"),
    ("-\ta: 1\n", 1, 2, "tab", "a space"),
    ("a: 1\n\u3000b: 2\n", 2, 1, "wide-space", "plain spaces"),
    ("a:\n  b: 1\n   c: 2\n", 3, 4, "wrong-indentation", "2 spaces, like line 2"),
    ('a: "b"\n c: 2\n', 2, 2, "wrong-indentation", "no spaces, like line 1"),
    ("a:\n    b: 1\n  c: 2\n", 3, 3, "wrong-indentation", "4 spaces (like line 2)"),
    ("a:\n  - b: 1\n    c: 1\n - d: 2\n", 4, 2, "wrong-indentation", "2 spaces (like line 2)"),
    ("a:\n  - b: 1\n    c: 1\n    - d: 2\n", 4, 5, "wrong-indentation", "2 spaces (like line 2)"),
    ("a:\n  - b: 1\n   c: 2\n", 3, 4, "wrong-indentation", "4 spaces (like line 2)"),
    ("a: |\n    x\n  y\n", 3, 3, "wrong-indentation", "4 spaces (like line 2)"),
    ("a:\n  - b: 1\n  c: 2\n", 3, 3, "missing-dash", "4 spaces"),
    ("a:\n  b: 1\n  - c: 2\n", 2, 3, "missing-dash", "write `- b: 1`"),
    ("a:\n    b: 1\n    c: 2\n  - d: 3\n", 2, 5, "missing-dash", "write `- b: 1`"),
    ("a:\n  -b: 1\n    c: 2\n", 2, 3, "missing-space", "write `- b: 1`"),
    ("a: - b\n", 1, 4, "list-after-key", "write `- b` on the next line"),
    # keys and documents
    ("a: 1\nb: 2\na: 3\n", 3, 1, "duplicate-key", "delete one"),
    ("- a: 1\n  b: 2\n  'a': 3\n", 3, 3, "duplicate-key", "begin a new list item with `- `"),
    ("a: {b: 1, b: 2}\n", 1, 11, "duplicate-key", "delete one"),
    ("1: a\n", 1, 1, "non-string-key", 'write `"1"`'),
    ("true: a\n", 1, 1, "non-string-key", 'write `"true"`'),
    ("a: {1.5: b}\n", 1, 5, "non-string-key", 'write `"1.5"`'),
    ("? [a, b]\n: c\n", 1, 3, "non-string-key", "text"),
    ("a: 1\n---\nb: 1\n", 2, 1, "second-document", "a file of its own"),
    ("a: 1\n...\nb: 1\n", 3, 1, "second-document", "a file of its own"),
    ("{a: 1}\nb: 1\n", 2, 1, "after-document", None),
    ("", 1, 1, "empty-file", None),
    ("# only a comment\n---\n", 1, 1, "empty-file", None),
    ("x" * 1100 + ": 1\n", 1, 1, "long-key", "shorten"),
    # scalars
    ("a: .inf\n", 1, 4, "bad-number", "in quotes"),
    ("a: [-.Inf, 1]\n", 1, 5, "bad-number", "in quotes"),
    ("a: .nan\n", 1, 4, "bad-number", "in quotes"),
    ("a: 1e999\n", 1, 4, "bad-number", "in quotes"),
    ("a: " + "1" * 1001 + "\n", 1, 4, "bad-number", "in quotes"),
    ("a: True\n", 1, 4, "looks-like-constant", "write `true`"),
    ("a: None\n", 1, 4, "looks-like-constant", "write `null`"),
    ("a: see {{ x }}\n", 1, 4, "template-braces", "in quotes"),
]  # fmt: skip
MISTAKES_OF_LIBYAML = [
    ("a: {b: !x, c: 1}\n", 1, 8, "yaml-tag", "write `not x`"),
    ("a: {b:[1], c: 2}\n", 1, 5, "missing-space", "write `b: [1]`"),
    ('a: "\\ud800"\n', 1, 5, "bad-escape", "single quotes"),
]
"""What the pure Python parser reads as something else."""

WARNINGS = {"unused-anchor", "looks-like-constant"}


def check_mistake(found: Finding, line: int, column: int, code: str, hint: str | None) -> None:
    assert (found.line, found.column, found.code) == (line, column, code)
    assert hint is None or (found.hint and hint in found.hint)
    assert found.message
    assert not found.message.endswith(".")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("text", "line", "column", "code", "hint"), MISTAKES)
def test_mistake(
    text: str, line: int, column: int, code: str, hint: str | None, parser: Parser
) -> None:
    """One mistake gives one finding, at its place, with the right advice."""
    (found,) = findings(text, parser)
    check_mistake(found, line, column, code, hint)


@pytest.mark.parametrize(("text", "line", "column", "code", "hint"), MISTAKES_OF_LIBYAML)
def test_mistake_that_libyaml_notices(
    text: str, line: int, column: int, code: str, hint: str
) -> None:
    """The same where the two parsers differ."""
    (found,) = findings(text)
    check_mistake(found, line, column, code, hint)


@pytest.mark.parametrize(("text", "code"), [(text, code) for text, _, _, code, _ in MISTAKES])
def test_only_guesses_are_warnings(text: str, code: str) -> None:
    """What is certainly wrong is an error; what is merely odd is a warning."""
    (found,) = findings(text)
    is_guess = code in WARNINGS or (code, text[3:4]) in GUESSES
    assert (found.severity is Severity.WARNING) == is_guess


GUESSES = {("template-braces", "s"), ("missing-space", " ")}


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
    assert [(each.line, each.column, each.code) for each in document.findings] == [
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
    found = findings("a: 1\na: 2\nb:\n\tc: 1\n")
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
    assert findings(EXAMPLE) == []


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
        (r"- (?=\w)|^(?! )", r"\t"),
    ],
)
def test_a_mistake_is_reported_on_its_own_line(number: int, before: str, after: str) -> None:
    """Wherever a mistake is made in a real flow, no other line is blamed."""
    lines = EXAMPLE.split("\n")
    lines[number] = re.sub(before, after, lines[number], count=1)
    blamed = {each.line for each in findings("\n".join(lines))}
    assert blamed == {number + 1 + ("\n" in lines[number])}
