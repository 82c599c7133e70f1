"""Diagnostics: what is wrong with a file, where, what to write instead, and how that is shown."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str | int, ...]
"""Keys and list positions from the root of a document to one of its values."""

_TAB = "    "
_NEWLINE = re.compile(r"\r\n|\r|\n")
_BEFORE_CARET = 50
_WIDEST_EXCERPT = 100


class Severity(StrEnum):
    """An error keeps a flow from being served; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell the author of a file. Sorts by its place.

    ``line`` and ``column`` count from 1, columns in characters; ``length`` is the number of
    characters to underline. ``code`` is kebab-case and stable. ``message`` is one sentence without
    a full stop; ``hint`` says what to write instead.
    """

    line: int
    column: int
    severity: Severity
    code: str
    message: str
    hint: str | None = None
    length: int = 1

    def __lt__(self, other: Diagnostic) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, int, str, str, str]:
        return self.line, self.column, self.severity, self.code, self.message


def render(path: str, source: str, diagnostic: Diagnostic) -> str:
    """The diagnostic as text for a terminal: a headline, the line with a caret, and the hint.

    Control characters, also those of the file, come out escaped; no line break ends the text.
    """
    headline = (
        f"{path}:{diagnostic.line}:{diagnostic.column}: {diagnostic.severity} {diagnostic.code}"
    )
    shown = [visible(f"{headline} {diagnostic.message}")]
    line = _line(source, diagnostic.line)
    if line is not None:
        excerpt, indent, underline = _excerpt(line, diagnostic.column - 1, diagnostic.length)
        shown.append(f"{diagnostic.line:>5} | {excerpt}".rstrip())
        shown.append(f"      | {' ' * indent}{'^' * underline}")
    if diagnostic.hint:
        shown.append(f"      = {visible(diagnostic.hint)}")
    return "\n".join(shown)


def to_json(path: str, diagnostic: Diagnostic) -> dict[str, object]:
    """The diagnostic as a JSON object, for tools."""
    return {
        "path": path,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "length": diagnostic.length,
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    }


def visible(text: str) -> str:
    """``text`` with all that could steer a terminal, or looks like a space, written as escapes."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char == "\t":
        return _TAB
    if char.isprintable():
        return char
    return char.encode("unicode_escape").decode("ascii")


def _line(source: str, number: int) -> str | None:
    start = 0
    for _ in range(number - 1):
        end = _NEWLINE.search(source, start)
        if end is None:
            return None
        start = end.end()
    end = _NEWLINE.search(source, start)
    return source[start : end.start() if end else len(source)]


def _excerpt(line: str, start: int, length: int) -> tuple[str, int, int]:
    """What to show of a line, and the caret's indent and width below it, in terminal columns."""
    first = max(0, start - _BEFORE_CARET) if len(line) > _WIDEST_EXCERPT else 0
    last = min(len(line), first + _WIDEST_EXCERPT)
    left, right = "…" if first else "", "…" if last < len(line) else ""
    excerpt = visible(line[first:last])
    indent = len(left) + _width(line[first:start])
    underlined = _width(line[start : min(start + length, last)])
    return f"{left}{excerpt}{right}", indent, max(1, underlined)


def _width(text: str) -> int:
    return sum(map(_columns, visible(text)))


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
