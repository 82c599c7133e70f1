"""The YAML loader: what scalars mean, where values stand, and what is too much."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from app.yaml.document import MAX_BYTES, Parser, YamlError, load

PARSERS: list[Parser] = [yaml.CSafeLoader, yaml.SafeLoader]

SCALARS: list[tuple[str, Any]] = [
    ("", None), ("~", None), ("null", None), ("true", True), ("false", False),
    ("0", 0), ("-0", 0), ("42", 42), ("-7", -7), ("1" * 1000, int("1" * 1000)),
    ("1.10", 1.1), ("-0.5", -0.5), (".5", 0.5), ("3.", 3.0), ("1e3", 1000.0), ("1.5E-3", 0.0015),
    ("no", "no"), ("NO", "NO"), ("on", "on"), ("off", "off"), ("yes", "yes"), ("y", "y"),
    ("0123", "0123"), ("-01", "-01"), ("0x1F", "0x1F"), ("0o17", "0o17"), ("0b1", "0b1"),
    ("1_000", "1_000"), ("+86", "+86"), ("1,000", "1,000"), ("12:30:45", "12:30:45"),
    ("2024-01-02", "2024-01-02"), ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
    ("1.2.3", "1.2.3"), ("1e", "1e"), (".", "."), ("--", "--"), ("=", "="),
    ("infinity", "infinity"), ("nan", "nan"), ("tRUE", "tRUE"), ("余额", "余额"),
    ("'1'", "1"), ('"true"', "true"), ('""', ""), ("'it''s'", "it's"), ('"\\u4e2d\\n"', "中\n"),
    ("a && b", "a && b"), ("${x}", "${x}"), ("$${x}", "$${x}"), ("a#b", "a#b"), ("x: y"[:1], "x"),
    ("http://x/y?a=1&b=2", "http://x/y?a=1&b=2"), ("x #c", "x"), ("it's # isn't it", "it's"),
]  # fmt: skip


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalar(text: str, value: Any, parser: Parser) -> None:
    """Only JSON's constants and decimal numbers are more than text."""
    document = load(f"key: {text}\n", parser=parser)
    assert document.data == {"key": value}
    assert type(document.data["key"]) is type(value)
    assert document.diagnostics == []


@pytest.mark.parametrize("parser", PARSERS)
def test_blocks(parser: Parser) -> None:
    """Mappings, lists and text blocks become plain data."""
    text = "a:\n- b: [1, {c: d}]\n-\nlit: |\n  x\n\n   y\nfold: >-\n  x\n  y\n? k\n: v\n"
    assert load(text, parser=parser).data == {
        "a": [{"b": [1, {"c": "d"}]}, None],
        "lit": "x\n\n y\n",
        "fold": "x y",
        "k": "v",
    }


@pytest.mark.parametrize("text", ["{}", "[]", "~", "'x'", "---\na: 1\n...\n# end\n"])
def test_any_root_is_a_document(text: str) -> None:
    """What the root must be is the schema's business."""
    assert load(text).diagnostics == []


def test_words_that_are_constants_elsewhere_may_be_keys() -> None:
    """``on`` and ``no`` are ordinary names."""
    assert load("on: 1\nno: 2\nyes: 3\n").data == {"on": 1, "no": 2, "yes": 3}


def test_aliases_repeat_a_value() -> None:
    """Each use is a value of its own, whose places are where the text stands."""
    document = load("a: &x {b: [1, two]}\nc: *x\nd: [*x]\n")
    assert document.data == {
        "a": {"b": [1, "two"]},
        "c": {"b": [1, "two"]},
        "d": [{"b": [1, "two"]}],
    }
    assert document.data["c"] is not document.data["a"]
    assert document.diagnostics == []
    place = document.places["c", "b", 1]
    assert (place.line, place.column, place.length) == (1, 15, 3)
    assert document.places["c",].key_line == 2


def test_the_first_of_two_equal_keys_counts() -> None:
    """The second value is read for its own mistakes and dropped."""
    document = load("a: 1\na: {b: 1, b: 2}\n")
    assert document.data == {"a": 1}
    assert [(each.line, each.column) for each in document.diagnostics] == [(2, 1), (2, 11)]
    assert "line 1" in document.diagnostics[0].message
    assert ("a", "b") not in document.places


PLACED = """\
name: 示例
inputs: {userName: string, x: ''}
steps:
  - id: login   # first
    json: "a b"
    none:
  - &anchor 1.10
  - |
    text
"""


@pytest.mark.parametrize(
    ("path", "value", "key", "raw", "style"),
    [
        ((), (1, 1, 8), (0, 0, 0), None, None),
        (("name",), (1, 7, 2), (1, 1, 4), "示例", ""),
        (("inputs",), (2, 9, 25), (2, 1, 6), None, None),
        (("inputs", "userName"), (2, 20, 6), (2, 10, 8), "string", ""),
        (("inputs", "x"), (2, 31, 2), (2, 28, 1), None, "'"),
        (("steps",), (4, 3, 11), (3, 1, 5), None, None),
        (("steps", 0), (4, 5, 9), (0, 0, 0), None, None),
        (("steps", 0, "json"), (5, 11, 5), (5, 5, 4), None, '"'),
        (("steps", 0, "none"), (6, 5, 4), (6, 5, 4), "", ""),
        (("steps", 1), (7, 13, 4), (0, 0, 0), "1.10", ""),
        (("steps", 2), (8, 5, 1), (0, 0, 0), None, "|"),
    ],
)
def test_place(
    path: tuple[str | int, ...],
    value: tuple[int, int, int],
    key: tuple[int, int, int],
    raw: str | None,
    style: str | None,
) -> None:
    """Every value knows its own place, that of its key, and how it was written."""
    place = load(PLACED).places[path]
    assert (place.line, place.column, place.length) == value
    assert (place.key_line, place.key_column, place.key_length) == key
    assert (place.raw, place.style) == (raw, style)


def test_places_hold_every_value_once() -> None:
    """The places are a mapping like any other."""
    places = load("a: [1, {b: 2}]\n").places
    assert set(places) == {(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")}
    assert len(places) == 5
    assert ("a", 2) not in places
    with pytest.raises(KeyError):
        places["c",]


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("a: 余额 HERE x\n", "HERE", (1, 7)),
        ('a: "余额 HERE x"\n', "HERE", (1, 8)),
        ("a: &x 'b HERE'\n", "HERE", (1, 10)),
        ("a: 'it''s HERE'\n", "HERE", (1, 11)),
        ('a: "\\u4e2d\\n\\x41 HERE"\n', "HERE", (1, 18)),
        ("a: one\n  two HERE\n", "HERE", (2, 7)),
        ('a: "one \\\n  two\\\n  HERE"\n', "HERE", (3, 3)),
        ("a: |\n  one\n\n    two HERE\n", "HERE", (4, 9)),
        ("a: >- # note\n  one\n  two\n\n  HERE\n", "HERE", (5, 3)),
        ("\ufeffa: b HERE\n", "HERE", (1, 6)),
        ("x: 1\r\na: b HERE\r\n", "HERE", (2, 6)),
        ("x: 1\ra: b HERE\r", "HERE", (2, 6)),
    ],
)
def test_locate_finds_a_word_of_a_scalar(text: str, word: str, expected: tuple[int, int]) -> None:
    """An offset into the decoded text leads back to the file, whatever the style."""
    document = load(text)
    assert document.locate(("a",), document.data["a"].index(word)) == expected


def test_locate_falls_back_to_what_is_around() -> None:
    """A missing key is reported where it is missing; an offset past the end stays at the end."""
    document = load("a: 1\nb:\n  c: text\n")
    assert document.locate(("b", "d", 0)) == (3, 3)
    assert document.locate(("b", "c"), 99) == (3, 10)
    assert document.locate(()) == (1, 1)


@pytest.mark.parametrize(
    ("data", "line", "column", "code"),
    [
        (b"a: 1\nb: caf\xe9\n", 2, 7, "bad-encoding"),
        ("a: 余额\n".encode() + b"\xff", 2, 1, "bad-encoding"),
        ("a: 1\n".encode("utf-16"), 1, 1, "bad-encoding"),
        ("a: 余\x00\n", 1, 5, "bad-character"),
        ("a: 1\r\nb: \x1b[0m\n", 2, 4, "bad-character"),
        ("a: x\u2028b: 2\n", 1, 5, "bad-character"),
        ("a: \x85\n", 1, 4, "bad-character"),
        ("a: x\ufeff\n", 1, 5, "bad-character"),
        ("a: \ud800\n", 1, 4, "bad-character"),
        ("a: " + "x" * MAX_BYTES, 1, 1, "too-large"),
        ("a: " + "余" * (MAX_BYTES // 3), 1, 1, "too-large"),
        (b"#" * (MAX_BYTES + 1), 1, 1, "too-large"),
        ("[" * 51 + "]" * 51, 1, 51, "too-deep"),
        ("\n".join(" " * depth + "a:" for depth in range(51)), 51, 51, "too-deep"),
        ("- 1\n" * 20_000, 20_000, 3, "too-many-values"),
        ("a: &a [x, x, x]\nb: [" + "*a, " * 7000 + "]\n", 2, 19993, "too-many-values"),
    ],
)
def test_refused(data: str | bytes, line: int, column: int, code: str) -> None:
    """What is no text, or too much of it, is refused at the place where that shows."""
    with pytest.raises(YamlError) as error:
        load(data)
    (found,) = error.value.diagnostics
    assert (found.line, found.column, found.code) == (line, column, code)
    assert f"line {line}: " in str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfa: 1\n",
        "a: '" + "x" * (MAX_BYTES - 5) + "'",
        "[" * 50 + "]" * 50,
        "- 1\n" * 19_999,
        'a: "\\0\\e"\n',
        "a: 😀\xa0\u3000\n",
    ],
)
def test_accepted_just_below_the_limits(data: str | bytes) -> None:
    """The limits are where they are said to be."""
    assert load(data).diagnostics == []


def test_too_many_problems_end_the_reading() -> None:
    """A file of nonsense gives a report that can be read."""
    with pytest.raises(YamlError) as error:
        load("a: 1\n" * 5000)
    codes = [each.code for each in error.value.diagnostics]
    assert codes == ["duplicate-key"] * 99 + ["duplicate-key", "too-many-problems"]


HOSTILE = [
    "[", "{", "- ", "? ", "[?", "[? ", "[a: ", '{"a":', "!a [", "&a [", "&a *a ", "- *a\n",
    "[a,", "{a,", "a: ", "a: b: ", "k:\n", "'", '"', "|\n", "- |\n", ">", "# x\n", "\n", " ",
    "\t", "- \t", ":", ",", "%", "%TAG ! tag:x,2000:\n", "!", "! ", "!x ", "---\n", "...\n",
    "&", "*", "@", "`", "\\", "{{ x }}", "${", "${x #", "a:b\n", "a：b\n", "-a: 1\n", "x' #'",
    "余额: ", "1", ".", "1e", "<<: ",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("lead", ["", "a: ", 'a: "x" '])
def test_hostile_text_ends_quickly(unit: str, lead: str) -> None:
    """A quarter of a megabyte of anything is read or refused in a moment, and within bounds."""
    text = lead + unit * ((MAX_BYTES - 10) // len(unit.encode()))
    start = time.process_time()
    try:
        found = load(text).diagnostics
    except YamlError as error:
        found = error.diagnostics
    assert time.process_time() - start < 1.0
    assert len(found) <= 121


def test_an_alias_bomb_ends_quickly() -> None:
    """Nine levels of nine aliases would be 400 million values."""
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    with pytest.raises(YamlError, match="aliases expand to more than 20000 values"):
        load("a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + levels)
