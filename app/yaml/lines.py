"""Reading lines of YAML without a parser, where a parser has given up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from yaml.events import Event

from app.yaml.source import Edit

_INDENT = re.compile(" *")
_DASHES = re.compile(r"(?:-(?:[ \t]+|$))*", re.MULTILINE)
_SPACES = re.compile(r"[ \t]*")
_QUOTED_KEY = re.compile(r"(?:\"[^\"\n]*\"|'[^'\n]*')[ \t]*:(?=[ \t\n]|$)")
_COLON = re.compile(r":(?=[ \t\n]|$)")
_COMMENT_OR_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|([ \t]#)")
_BRACKET_OR_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|([][{},\n])")
_TEMPLATE = re.compile(r"\{\{([^{}\n]*)\}\}")
_LONGEST_HINT = 160
_LONGEST_REPAIR = 4000


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line, as offsets into the text, in this order.

    ``first`` is behind the indentation, ``content`` also behind the dashes, ``value`` also behind
    the key (the same as ``content`` when there is no key); ``value_end`` is before spaces and a
    comment.
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


@dataclass(frozen=True, slots=True)
class Trouble:
    """Where the parser gave up. All places are offsets into ``text``."""

    text: str
    words: str
    """What the parser says."""
    at: int
    """Where it noticed."""
    opened: int
    """Where the thing begins that it was reading; the same as ``at`` if it does not say."""
    last_start: int
    last_end: int
    """The last scalar or bracket it had read …"""
    last_style: str | None
    """… its quotes (``""`` none, ``|`` or ``>`` a block), ``None`` if it is not a scalar."""
    in_flow: bool
    """Inside ``{…}`` or ``[…]``."""

    @property
    def char(self) -> str:
        return self.text[self.at : self.at + 1]

    @property
    def line(self) -> TextLine:
        return line_at(self.text, self.at)

    def is_above(self, offset: int) -> bool:
        """Whether ``offset`` is on an earlier line than ``at``."""
        return "\n" in self.text[offset : self.at]


def span(event: Event) -> tuple[int, int]:
    """Where an event begins and ends, as offsets into the text."""
    start: Any = event.start_mark
    end: Any = event.end_mark
    return start.index, end.index


def line_at(text: str, offset: int) -> TextLine:
    """The line that holds an offset."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", start)
    end = end if end >= 0 else len(text)
    first = _match_end(_INDENT, text, start)
    content = _match_end(_DASHES, text, first)
    value = _value_start(text, content)
    return TextLine(start, first, content, value, value_end(text, value), end)


def value_end(text: str, start: int) -> int:
    """Where the text that begins at ``start`` ends on its line, comment and spaces left out."""
    if text.startswith("#", start):
        return start
    end = text.find("\n", start)
    end = end if end >= 0 else len(text)
    for match in _COMMENT_OR_QUOTED.finditer(text, start, end):
        if match[1]:
            end = match.start()
            break
    return start + len(text[start:end].rstrip())


def flow_value_end(text: str, start: int) -> int:
    """Where a value inside ``{…}`` or ``[…]`` ends: before ``,`` or the closing bracket."""
    depth = 0
    for match in _BRACKET_OR_QUOTED.finditer(text, start):
        mark = match[1] or ""
        if mark == "\n" or (depth == 0 and mark in ("}", "]", ",")):
            return start + len(text[start : match.start()].rstrip())
        depth += (mark in ("{", "[")) - (mark in ("}", "]"))
    return len(text)


def quoted(text: str) -> str:
    """``text`` as a quoted scalar."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def quote(text: str, start: int, end: int) -> tuple[Edit, ...]:
    """The edits that put ``[start, end)`` in quotes, as :func:`quoted` does.

    None for a text that nobody wrote by hand: repairing it takes long and helps nobody.
    """
    if end - start > _LONGEST_REPAIR:
        return ()
    mark = quoted(text[start:end])[0]
    inner = re.finditer("'", text[start:end]) if mark == "'" else ()
    doubled = [(start + match.end(), start + match.end(), "'") for match in inner]
    return ((start, start, mark), *doubled, (end, end, mark))


def without_templates(text: str) -> str:
    """``{{ x }}`` of other template languages as the ``${x}`` of this one."""
    return _TEMPLATE.sub(lambda match: "${" + match[1].strip() + "}", text)


def replace_templates(text: str, start: int, end: int) -> tuple[Edit, ...]:
    """The edits that do the same, in as many characters, for ``[start, end)`` of a text."""
    return tuple(
        edit
        for match in _TEMPLATE.finditer(text, start, end)
        for edit in (
            (match.start(), match.start() + 2, "${"),
            (match.end() - 2, match.end(), " }"),
        )
    )


def write(text: str) -> str | None:
    """A hint to write ``text``, unless that would be too long to read."""
    return f"write `{text}`" if len(text) <= _LONGEST_HINT and "\n" not in text else None


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
