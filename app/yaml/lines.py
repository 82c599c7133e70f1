"""A text, its places and its small repairs; and how one line of YAML is read without a parser.

After a mistake that has one evident repair the parser goes on with the repaired text, so that one
run reports all mistakes of a file. Places always refer to the text as it was given.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from yaml.events import Event

from app.yaml.diagnostics import Diagnostic, Severity

Edit = tuple[int, int, str]
"""Put this text in place of ``[start, end)``; it is never shorter, and adds no line break."""

_INDENT = re.compile(" *")
_DASHES = re.compile(r"(?:-(?:[ \t]+|$))*", re.MULTILINE)
_SPACES = re.compile(r"[ \t]*")
_QUOTED_KEY = re.compile(r"(?:\"[^\"\n]*\"|'[^'\n]*')[ \t]*:(?=[ \t\n]|$)")
_COLON = re.compile(r":(?=[ \t\n]|$)")
_COMMENT_OR_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|([ \t]#)")
_BRACKET_OR_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|([][{},\n])")
_LONGEST_HINT = 160


@dataclass(frozen=True, slots=True)
class TextIssue:
    """A diagnostic whose place is still a range of offsets into ``SourceText.text``."""

    start: int
    end: int
    code: str
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR
    repair: tuple[Edit, ...] = ()
    """Edits that make of the text what the author meant; empty if that is not clear."""


class TextIssueError(Exception):
    """Reading cannot go on after this issue, unless it is repaired."""

    def __init__(self, issue: TextIssue) -> None:
        super().__init__(issue.message)
        self.issue = issue


class SourceText:
    """A text with line breaks ``\\n``, perhaps repaired."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._inserted: list[int] = []
        self._starts: list[int] = []

    def repaired(self, edits: Iterable[Edit]) -> SourceText:
        """This text with the edits made. Edits do not overlap."""
        pieces, inserted, after, grown = list[str](), list[int](), 0, 0
        for start, end, new in sorted(edits):
            inserted += (offset + grown for offset in self._inserted_in(after, end))
            pieces += self.text[after:start], new
            inserted += range(end + grown, start + grown + len(new))
            after, grown = end, grown + len(new) - (end - start)
        inserted += (offset + grown for offset in self._inserted_in(after, len(self.text)))
        result = SourceText("".join([*pieces, self.text[after:]]))
        result._inserted, result._starts = inserted, self._line_starts()
        return result

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, that an offset into ``text`` has in the text as given."""
        offset = self._given(offset)
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def length(self, start: int, end: int) -> int:
        """How many characters of the text as given ``[start, end)`` covers on its first line.

        At least 1, so that there is something to underline.
        """
        newline = self.text.find("\n", start, end)
        end = end if newline < 0 else newline
        return max(1, self._given(end) - self._given(start))

    def diagnostic(self, issue: TextIssue) -> Diagnostic:
        """The issue with its line and column."""
        place, length = self.position(issue.start), self.length(issue.start, issue.end)
        return Diagnostic(*place, issue.severity, issue.code, issue.message, issue.hint, length)

    def _given(self, offset: int) -> int:
        return offset - bisect_left(self._inserted, offset)

    def _inserted_in(self, start: int, end: int) -> list[int]:
        return self._inserted[bisect_left(self._inserted, start) : bisect_left(self._inserted, end)]

    def _line_starts(self) -> list[int]:
        if not self._starts:
            self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        return self._starts


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line, as offsets into the text, in this order.

    ``first`` is the end of the indentation, ``content`` the end of the dashes after it, ``value``
    the beginning of what follows the key (``content`` if there is no key); ``value_end`` is before
    spaces and a comment.
    """

    start: int
    first: int
    content: int
    value: int
    value_end: int
    end: int

    @property
    def indent(self) -> int:
        """How many spaces the line begins with."""
        return self.first - self.start

    @property
    def content_indent(self) -> int:
        """Column, from 0, of the content."""
        return self.content - self.start

    @property
    def is_item(self) -> bool:
        """Whether the line begins with a dash."""
        return self.content > self.first

    @property
    def has_key(self) -> bool:
        return self.value > self.content


def span(event: Event) -> tuple[int, int]:
    """Where an event begins and ends, as offsets into the text."""
    start: Any = event.start_mark
    end: Any = event.end_mark
    return start.index, end.index


def line_at(text: str, offset: int) -> TextLine:
    """The line that holds an offset."""
    start = text.rfind("\n", 0, offset) + 1
    first = _match_end(_INDENT, text, start)
    content = _match_end(_DASHES, text, first)
    value = _value_start(text, content)
    return TextLine(start, first, content, value, value_end(text, value), _line_end(text, start))


def value_end(text: str, start: int, *, in_flow: bool = False) -> int:
    """Where the text that begins at ``start`` ends on its line, comment and spaces left out.

    ``in_flow``: inside ``{…}`` or ``[…]``, where it ends before ``,`` or the closing bracket.
    """
    find = _flow_value_end if in_flow else _before_comment
    return start + len(text[start : find(text, start)].rstrip())


def _before_comment(text: str, start: int) -> int:
    if text.startswith("#", start):
        return start
    end = _line_end(text, start)
    for match in _COMMENT_OR_QUOTED.finditer(text, start, end):
        if match[1]:
            return match.start()
    return end


def _flow_value_end(text: str, start: int) -> int:
    depth = 0
    for match in _BRACKET_OR_QUOTED.finditer(text, start):
        mark = match[1] or ""
        if mark == "\n" or (depth == 0 and mark in ("}", "]", ",")):
            return match.start()
        depth += (mark in ("{", "[")) - (mark in ("}", "]"))
    return len(text)


def quoted(text: str) -> str:
    """``text`` as a quoted scalar."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def quote(text: str, start: int, end: int) -> tuple[Edit, ...]:
    """The edits that put ``[start, end)`` in quotes, as :func:`quoted` does."""
    mark = quoted(text[start:end])[0]
    inner = re.finditer("'", text[start:end]) if mark == "'" else ()
    doubled = [(start + match.end(), start + match.end(), "'") for match in inner]
    return ((start, start, mark), *doubled, (end, end, mark))


def write(text: str) -> str | None:
    """A hint to write ``text``, unless that would be too long to read."""
    return f"write `{text}`" if len(text) <= _LONGEST_HINT and "\n" not in text else None


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if end >= 0 else len(text)


def _value_start(text: str, content: int) -> int:
    if text[content : content + 1] in ("{", "["):
        return content
    if text[content : content + 1] in ('"', "'"):
        match = _QUOTED_KEY.match(text, content)
    else:
        match = _COLON.search(text, content, value_end(text, content))
    return _match_end(_SPACES, text, match.end()) if match else content


def _match_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
