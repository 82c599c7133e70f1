"""The places of values: the events that a value came from become lines and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from yaml.events import ScalarEvent

from app.yaml.builder import Node
from app.yaml.diagnostics import Path
from app.yaml.lines import SourceText, span, value_end

_PROPERTIES = re.compile(r"(?:[&!][^ \t\n]*[ \t\n]+)+")
_UNITS = {
    '"': re.compile(r"\\(?:x.{2}|u.{4}|U.{8}|.|\n)|\S"),
    "'": re.compile(r"''|\S"),
}
"""What one character, other than a space, looks like in a quoted scalar."""

_UNQUOTED_UNIT = re.compile(r"\S")
_BLANK_ESCAPES = frozenset("\\" + letter for letter in "\n\t ntvfrNLP_")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is. Lines and columns count from 1, columns in characters.

    ``length`` is counted on the first line only. An empty value (``key:``) has the place of its
    key. A value used by an alias has the place where it is written. ``key_line`` and what follows
    are 0 without a key. ``raw`` is the text of a plain scalar; ``style`` is that of a scalar
    (``""`` plain, else ``"``, ``'``, ``|`` or ``>``). Both are ``None`` otherwise.
    """

    line: int
    column: int
    length: int
    key_line: int = 0
    key_column: int = 0
    key_length: int = 0
    raw: str | None = None
    style: str | None = None


class Places(Mapping[Path, Place]):
    """The place of every value, worked out when it is asked for."""

    def __init__(self, source: SourceText, nodes: Mapping[Path, Node]) -> None:
        self._source = source
        self._nodes = nodes

    def __getitem__(self, path: Path) -> Place:
        node = self._nodes[path]
        key = self._key(node)
        line, column, length = self._value(node, key)
        if not isinstance(node.start, ScalarEvent):
            return Place(line, column, length, *key)
        style = node.start.style or ""
        return Place(line, column, length, *key, None if style else node.start.value, style)

    def __contains__(self, path: object) -> bool:
        return path in self._nodes

    def __iter__(self) -> Iterator[Path]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def locate(self, path: Path, offset: int = 0) -> tuple[int, int]:
        """See :meth:`app.yaml.document.Document.locate`."""
        while path and path not in self._nodes:
            path = path[:-1]
        node = self._nodes[path]
        start, end = self._span(node)
        if isinstance(node.start, ScalarEvent):
            start = _offset(self._source.text, (start, end), node.start, offset)
        return self._source.position(start)

    def _key(self, node: Node) -> tuple[int, int, int]:
        if node.key is None:
            return 0, 0, 0
        start, end = span(node.key)
        return (*self._source.position(start), self._source.length(start, end))

    def _value(self, node: Node, key: tuple[int, int, int]) -> tuple[int, int, int]:
        start, end = self._span(node)
        if start == end and node.key is not None:
            return key
        text = self._source.text
        if "\n" in text[start:end]:
            end = min(end, value_end(text, start))
        return (*self._source.position(start), self._source.length(start, end))

    def _span(self, node: Node) -> tuple[int, int]:
        """The value without its anchor or tag."""
        start, end = span(node.start)[0], span(node.end)[1]
        properties = _PROPERTIES.match(self._source.text, start, end)
        return properties.end() if properties else start, end


def _offset(text: str, span: tuple[int, int], event: ScalarEvent, wanted: int) -> int:
    """Where character ``wanted`` of a decoded scalar is in the text.

    Apart from escapes, reading a scalar changes nothing but spaces and line breaks: so its n-th
    character that is not blank is the n-th in the text, too.
    """
    start, end = _body(text, span, event.style)
    value: str = event.value
    if end - start == len(value):
        return min(start + wanted, end)
    count = sum(not char.isspace() for char in value[:wanted])
    unit, before = _UNITS.get(event.style or "", _UNQUOTED_UNIT), start
    for match in unit.finditer(text, start, end):
        if _is_blank(match[0]):
            continue
        if count == 0:
            return before if value[wanted : wanted + 1].isspace() else match.start()
        count, before = count - 1, match.end()
    return before


def _body(text: str, span: tuple[int, int], style: str | None) -> tuple[int, int]:
    start, end = span
    if style in ("'", '"'):
        return start + 1, end - 1
    if style in ("|", ">"):
        return text.find("\n", start, end) + 1 or end, end
    return span


def _is_blank(unit: str) -> bool:
    if unit[0] != "\\":
        return False
    if len(unit) > 2:
        return chr(int(unit[2:], 16)).isspace()
    return unit in _BLANK_ESCAPES
