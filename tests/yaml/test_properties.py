"""Properties of the YAML loader that hold for every text."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.yaml.diagnostics import Diagnostic, Severity, render
from app.yaml.document import Document, Parser, YamlError, load

PARSERS: list[Parser] = [yaml.CSafeLoader, yaml.SafeLoader]

FLOW = """\
# yaml-language-server: $schema=../flow.schema.json
name: 示例流程
timeout: 10s
inputs:
  deposit: {type: number, default: 0, description: "存款余额"}
steps:
  - id: login
    http: POST /example/user/login
    json: &body
      userName: ${inputs.userName}
      again: *body_
  - if: not steps.login.body.loginFlag   # why
    then:
      - return: {}
  - switch:
      - when: inputs.deposit <= 100000
        then:
          - set: {gift: '送10元话费', list: [1, "x", ~]}
    text: |
      one
        two
"""

FRAGMENTS = st.sampled_from(
    [
        *"{}[]:#&*!|>'\"%@`,-?= \n\t\r\\$~<>.0：\u3000\x00\ufeff",
        *("${", "{{ x }}", "- ", ": ", "\n  ", "\n- ", " #", "<<: ", "&a ", "*a", "!!x ", "---\n"),
    ]
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(FLOW)), st.integers(0, 6), FRAGMENTS | st.just("")), max_size=5
)


def mutated(edits: list[tuple[int, int, str]]) -> str:
    """The flow with parts cut out and fragments of syntax put in."""
    text = FLOW
    for start, length, new in edits:
        text = text[:start] + new + text[start + length :]
    return text


def outcome(data: str | bytes, parser: Parser) -> tuple[Document | None, list[Diagnostic]]:
    """What loading gives: a document or not, and the findings. Nothing but ``YamlError``."""
    start = time.process_time()
    try:
        document = load(data, parser=parser)
    except YamlError as error:
        return None, error.diagnostics
    finally:
        assert time.process_time() - start < 1.0
    return document, document.diagnostics


def check_findings(text: str, found: list[Diagnostic]) -> None:
    """Every finding is inside the text, on a line that can be shown; none stands twice."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for each in found:
        assert 1 <= each.line <= len(lines)
        assert 1 <= each.column <= len(lines[each.line - 1]) + 1
        assert each.length >= 1
        assert all(shown.isprintable() for shown in render("f", text, each).split("\n"))
    assert len(set(found)) == len(found)
    assert sorted(found) == found


def check_places(document: Document) -> None:
    """Every value of the data has a place, and can be reached by it."""
    for path, place in document.places.items():
        value = document.data
        for step in path:
            value = value[step]
        assert (place.style is None) == isinstance(value, dict | list)
        line, column = document.locate(path, 1)
        assert line >= place.line >= 1
        assert column >= 1


@pytest.mark.parametrize("parser", PARSERS)
@settings(deadline=None, max_examples=200)
@given(edits=EDITS)
def test_any_change_of_a_flow_is_read_or_explained(
    parser: Parser, edits: list[tuple[int, int, str]]
) -> None:
    """However a flow is broken, the report is sound and the data has its places."""
    text = mutated(edits)
    document, found = outcome(text, parser)
    check_findings(text, found)
    assert document or found
    if document:
        check_places(document)


@pytest.mark.parametrize("parser", PARSERS)
@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=200) | st.lists(FRAGMENTS, max_size=60).map("".join))
@example(text='a: "\\U00110000"')
@example(text='"\\ud800"')
def test_any_text_is_read_or_explained(parser: Parser, text: str) -> None:
    """Whatever a text holds, nothing but findings comes of it."""
    document, found = outcome(text, parser)
    check_findings(text, found)
    if document:
        check_places(document)


@settings(deadline=None, max_examples=200)
@given(data=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-16")))
def test_any_bytes_are_read_or_explained(data: bytes) -> None:
    """A file need not be text at all."""
    outcome(data, yaml.CSafeLoader)


READABLE = st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\u2028\u2029\ufffe\uffff"
)
TEXTS = st.text(READABLE | st.just("\n"), max_size=30) | st.sampled_from(
    ["no", "1e5", "0123", "12:30:45", "~", "true", "${a}", "a: b", "- x", "# x", "", " x ", "a #b"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(TEXTS, values, max_size=4),
    max_leaves=20,
)


class Quoting(yaml.SafeDumper):
    """Writes every text in quotes: plain texts mean different things in YAML 1.1 and 1.2."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(deadline=None, max_examples=200)
@given(value=JSON, flow=st.booleans())
def test_what_is_dumped_is_loaded(value: Any, flow: bool) -> None:
    """Every JSON value survives the way through YAML, without a finding."""
    text = yaml.dump(value, Dumper=Quoting, allow_unicode=True, default_flow_style=flow)
    document = load(text)
    assert document.data == value
    assert [each for each in document.diagnostics if each.severity is Severity.ERROR] == []


PLAIN = st.from_regex(r"[a-z余][a-z余 ]{0,20}[a-z余]", fullmatch=True).filter(
    lambda text: yaml.safe_load(text) == text and text not in ("true", "false", "null")
)


@settings(deadline=None, max_examples=200)
@given(
    words=st.dictionaries(PLAIN, PLAIN, min_size=1, max_size=4),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    width=st.sampled_from([12, 1000]),
    data=st.data(),
)
def test_locate_points_at_the_character(
    words: dict[str, str], style: str | None, width: int, data: st.DataObject
) -> None:
    """However a text is written and folded, its n-th character is found in the file."""
    text = yaml.safe_dump(words, allow_unicode=True, default_style=style, width=width)
    document, lines = load(text), text.split("\n")
    assert document.data == words
    for key, value in words.items():
        offset = data.draw(st.integers(0, len(value) - 1))
        line, column = document.locate((key,), offset)
        if value[offset] != " ":
            assert lines[line - 1][column - 1] == value[offset]
