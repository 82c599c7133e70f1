"""Mistakes in flow files: each is found once, at its very character, with what to write instead."""

from __future__ import annotations

import pytest
import yaml

from app.yaml.diagnostics import Diagnostic, Severity
from app.yaml.document import Parser, YamlError, load

PARSERS: list[Parser] = [yaml.CSafeLoader, yaml.SafeLoader]


def diagnostics(text: str, parser: Parser = yaml.CSafeLoader) -> list[Diagnostic]:
    """All that the loader has to say, whether there is a document or not."""
    try:
        return load(text, parser=parser).diagnostics
    except YamlError as error:
        return error.diagnostics


MISTAKES = [
    # expressions and other template languages
    ("url: {{ x }}\nb: 1\n", 1, 6, "template-braces", "write `url: ${x}`"),
    ("- url: {{ x }}/y\n", 1, 8, "template-braces", "write `url: ${x}/y`"),
    ("url: {{ a }}{{ b }}: c\n", 1, 6, "template-braces", '"${a}${b}: c"'),
    ("- {{ x }}\n", 1, 3, "template-braces", "write `${x}`"),
    ("a: {b: {{ x }}, c: 1}\n", 1, 8, "template-braces", 'write `"${x}"`'),
    ("a: {% if x %}\n", 1, 4, "template-braces", '"{% if x %}"'),
    ("json: {name: ${inputs.name}}\n", 1, 14, "unquoted-expression", '`"${inputs.name}"`'),
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
    ("a: !include b.yaml\n", 1, 4, "yaml-tag", "delete the tag"),
    ("!!map\na: 1\n", 1, 1, "yaml-tag", "delete the tag"),
    ("a: !<x\n", 1, 4, "yaml-tag", "delete the tag"),
    ("!!str a: 1\n", 1, 1, "yaml-tag", "delete the tag"),
    ("a: *b\n", 1, 4, "undefined-alias", 'write `a: "*b"`'),
    ("a: {b: *c, d: 1}\n", 1, 8, "undefined-alias", '"*c"'),
    ("a: &b [*b]\n", 1, 8, "recursive-alias", None),
    ("a: &k x\n*k : 1\n", 2, 1, "non-string-key", None),
    ("a: &b\n", 1, 4, "reserved-character", 'write `a: "&b"`'),
    ("a: & b\n", 1, 4, "reserved-character", 'write `a: "& b"`'),
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
    ("a: {[b]: c}\n", 1, 5, "non-string-key", "text"),
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
]  # fmt: skip
GUESSES = [
    ("a: &b c\n", 1, 4, "unused-anchor", "in quotes"),
    ("a:\n  b:1\n", 2, 3, "missing-space", "write `b: 1`"),
    ("a:\n  b:1\n  c:2\n", 2, 3, "missing-space", "write `b: 1`"),
    ("a: True\n", 1, 4, "looks-like-constant", "write `true`"),
    ("a: None\n", 1, 4, "looks-like-constant", "write `null`"),
    ("a: see {{ x }}\n", 1, 4, "template-braces", "in quotes"),
]
"""What may be meant as it is written."""

MISTAKES_OF_LIBYAML = [
    ("a: {b: !x, c: 1}\n", 1, 8, "yaml-tag", "write `not x`"),
    ("a: {b:[1], c: 2}\n", 1, 5, "missing-space", "write `b: [1]`"),
    ('a: "\\ud800"\n', 1, 5, "bad-escape", "single quotes"),
]
"""What the pure Python parser reads as something else."""


def check(found: list[Diagnostic], *expected: object) -> None:
    """Exactly one finding: severity, line, column, code, and a part of the hint."""
    (one,) = found
    assert (one.severity, one.line, one.column, one.code) == expected[:4]
    assert expected[4] is None or str(expected[4]) in (one.hint or "")
    assert not one.message.endswith(".")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("text", "line", "column", "code", "hint"), MISTAKES)
def test_mistake(
    text: str, line: int, column: int, code: str, hint: str | None, parser: Parser
) -> None:
    """One mistake gives one error, at its place, with the right advice."""
    check(diagnostics(text, parser), Severity.ERROR, line, column, code, hint)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("text", "line", "column", "code", "hint"), GUESSES)
def test_guess(text: str, line: int, column: int, code: str, hint: str, parser: Parser) -> None:
    """What is odd, and perhaps meant, is a warning, and the text stays what it is."""
    check(diagnostics(text, parser), Severity.WARNING, line, column, code, hint)


@pytest.mark.parametrize(("text", "line", "column", "code", "hint"), MISTAKES_OF_LIBYAML)
def test_mistake_that_libyaml_notices(
    text: str, line: int, column: int, code: str, hint: str
) -> None:
    """The same where the two parsers differ."""
    check(diagnostics(text), Severity.ERROR, line, column, code, hint)


@pytest.mark.parametrize(
    ("text", "underlined"),
    [
        ("url: {{ x }} # y\n", "{{ x }}"),
        ("a: [${x}, 1]\n", "${x}"),
        ("a: {b: c: d}\n", ":"),
        ("if: 'a' == x # y\n", "== x"),
        ("if: !x\n", "!"),
        ("a: !!str 1\n", "!!str"),
        ("a: @b\n", "@"),
        ("a: 1\nname：x\nb: 2\n", "："),
        ("a: 1\nname:x\nb: 2\n", "name:"),
        ("a: {b: [1}\n", "}"),
        ("a: [x\nb: 1\n", "["),
        ("a:\n\t\tb: 1\n", "\t\t"),
        ("-\t\ta: 1\n", "\t\t"),
        ("a: 1\n: b\n", ":"),
        ("a:\n  b: 1\n   c: 2 # y\n", "c: 2"),
        ("a: 1\n'a': 2\n", "'a'"),
        ("a: 1e999 # y\n", "1e999"),
    ],
)
def test_what_is_underlined(text: str, underlined: str) -> None:
    """The caret line covers what is wrong, no more."""
    (found,) = diagnostics(text)
    line = text.split("\n")[found.line - 1]
    assert line[found.column - 1 :][: found.length] == underlined
