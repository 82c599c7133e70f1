"""From what schemas and checks find to diagnostics: a line, a column, each once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from typing import Any

from app.expression import Issue
from app.language.fields import issue
from app.yaml.diagnostics import Diagnostic, Path, Severity
from app.yaml.document import Document

_MARSHMALLOW_WORDS = {
    "Missing data for required field.": (
        "missing-key",
        "the key `{key}` is missing",
        "add `{key}: …`",
    ),
    "Field may not be null.": (
        "empty-value",
        "`{key}` has no value",
        "write its value after the colon, or below it",
    ),
    "Not a valid list.": (
        "wrong-type",
        "`{key}` is a list",
        "write `[a, b]`, or lines that begin with `- `",
    ),
}
"""marshmallow's own sentences, in ours."""

_SPACING = frozenset({"missing-space", "full-width"})
"""Warnings about text that was probably meant to be a key and its value."""


def once(document: Document, later: list[Diagnostic]) -> list[Diagnostic]:
    """Each mistake once: YAML's own errors come first, and a warning gives way to an error."""
    spacing = {each.line: each for each in document.diagnostics if each.code in _SPACING}
    later = [
        replace(spacing[each.line], severity=Severity.ERROR)
        if each.code == "wrong-type" and each.line in spacing
        else each
        for each in later
    ]
    explained = _errors(document.diagnostics)
    braces = {each.line for each in later if each.code == "braces"}
    kept = [each for each in later if _place(each) not in explained]
    kept += [
        each for each in document.diagnostics if not (_is_braces(each) and each.line in braces)
    ]
    wrong = _errors(kept)
    return [each for each in kept if each.severity is Severity.ERROR or _place(each) not in wrong]


def _is_braces(diagnostic: Diagnostic) -> bool:
    return diagnostic.code == "template-braces" and diagnostic.severity is Severity.WARNING


def _errors(diagnostics: Iterable[Diagnostic]) -> set[tuple[int, int]]:
    return {_place(each) for each in diagnostics if each.severity is Severity.ERROR}


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    return diagnostic.line, diagnostic.column


def issues_in(messages: Any, path: Path, written: Container[Path]) -> Iterator[tuple[Path, Issue]]:
    """The leaves of marshmallow's error tree. Its own key is passed over unless it is written."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            is_own = key == "_schema" and (*path, key) not in written
            yield from issues_in(below, path if is_own else (*path, key), written)
        return
    for message in messages if isinstance(messages, list) else [messages]:
        if isinstance(message, Issue):
            yield path, message
        elif isinstance(message, dict | list):
            yield from issues_in(message, path, written)
        else:
            yield path, _own_words(str(message), path)


def _own_words(message: str, path: Path) -> Issue:
    words = _MARSHMALLOW_WORDS.get(message, ("wrong-type", message.rstrip("."), None))
    code, sentence, hint = words
    key = path[-1] if path else "flow"
    return issue(code, sentence.format(key=key), hint and hint.format(key=key))


def diagnostic_at(document: Document, path: Path, severity: Severity, found: Issue) -> Diagnostic:
    """An issue at its line and column: in its scalar, or at its key, or at the nearest parent."""
    whole = (*path, *found.path)
    while whole not in document.places:
        whole = whole[:-1]
    place = document.places[whole]
    if found.length:
        line, column = document.locate(whole, found.offset)
        length = found.length
    elif place.key_line and found.code in _AT_KEY:
        line, column, length = place.key_line, place.key_column, place.key_length
    else:
        line, column, length = place.line, place.column, place.length
    return Diagnostic(line, column, severity, found.code, found.message, found.hint, max(length, 1))


_AT_KEY = frozenset(
    {"unknown-key", "unknown-verb", "two-verbs", "two-bodies", "two-auths", "unreachable",
     "bad-name", "reserved-name", "unknown-input", "unknown-output", "unknown-param",
     "unused-input", "unsafe-retry", "useless-key", "misplaced-limit", "required-default",
     "switched-off"}
)  # fmt: skip
"""Codes of what is wrong with a key rather than with its value."""
