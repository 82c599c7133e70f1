"""The YAML loader: strict, bounded, and every value knows its line and column.

The scalars are those of YAML 1.2 that JSON has too (:mod:`app.yaml.scalars`). Anchors and
aliases may be used; tags, merge keys, keys that are not text and repeated keys may not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from yaml.events import DocumentEndEvent, Event, ScalarEvent, StreamEndEvent

from app.yaml.builder import MAX_NODES, DocumentBuilder
from app.yaml.diagnostics import Diagnostic, Path, Severity
from app.yaml.lines import SourceText, TextIssue, TextIssueError, span, value_end
from app.yaml.mistakes import Trouble, directive, explain
from app.yaml.places import Place, Places

__all__ = ["MAX_BYTES", "Document", "Path", "Place", "YamlError", "load"]

MAX_BYTES = 256 * 1024
"""Size of a file that is accepted."""

MAX_REPAIRS = 20
"""Mistakes in one file after which reading goes on."""

_CHARACTERS_PER_NODE = 20
"""Reading so many characters takes about as long as building one node."""

Parser = Callable[[str], Any]
"""One of PyYAML's loader classes; only its events are used."""

_FASTEST: Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*%")
_NOTHING = re.compile(r"[ \t\n]*(?:(?<![^ \t\n])#[^\n]*[ \t\n]*)*")


class YamlError(ValueError):
    """There is no usable document; ``diagnostics`` say why, sorted by their places."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__(
            "; ".join(f"line {each.line}: {each.message}" for each in self.diagnostics)
        )


class Document:
    """One YAML file as plain data (``dict list str int float bool None``) with its places.

    ``diagnostics`` are those after which reading could go on, warnings among them. If one is an
    error, the data is a guess at what the author meant: good for further checks only.
    """

    def __init__(self, data: Any, places: Places, diagnostics: Sequence[Diagnostic]) -> None:
        self.data = data
        self.places: Mapping[Path, Place] = places
        self.diagnostics = list(diagnostics)
        self._locate = places.locate

    def locate(self, path: Path, offset: int = 0) -> tuple[int, int]:
        """Line and column of the character ``offset`` of the decoded scalar at ``path``.

        For a mapping or a list, where it begins; for a path that does not exist, the place of the
        nearest value that would hold it.
        """
        return self._locate(path, offset)


def load(text: str | bytes, *, parser: Parser = _FASTEST) -> Document:
    """Read one YAML document. ``parser`` is libyaml's, where that is installed.

    Raises:
        YamlError: there is no usable document. Nothing else is raised, whatever the text is.
    """
    source, found, spent = SourceText(_decode(text)), list[Diagnostic](), 0
    while True:
        builder = DocumentBuilder(source.text)
        issue = _build(builder, source.text, parser)
        if issue is None:
            places = Places(source, builder.nodes)
            return Document(builder.data, places, _diagnostics(source, builder, found))
        diagnostic = source.diagnostic(issue)
        spent += builder.count + len(source.text) // _CHARACTERS_PER_NODE
        is_new = not any(_may_follow(diagnostic, earlier) for earlier in found)
        if is_new:
            found.append(diagnostic)
        if not (is_new and issue.repair and len(found) <= MAX_REPAIRS and spent < MAX_NODES):
            raise YamlError(_diagnostics(source, builder, found))
        source = source.repaired(issue.repair)


def _may_follow(diagnostic: Diagnostic, earlier: Diagnostic) -> bool:
    """Whether one may come from the repair of an earlier one: on its line, of another kind."""
    is_same_kind = diagnostic.code == earlier.code and diagnostic.column > earlier.column
    return diagnostic.line == earlier.line and not is_same_kind


def _diagnostics(
    source: SourceText, builder: DocumentBuilder, found: Sequence[Diagnostic]
) -> list[Diagnostic]:
    """Everything found, in order and once: an alias repeats the issues of its value."""
    return sorted(dict.fromkeys([*found, *map(source.diagnostic, builder.issues)]))


def _build(builder: DocumentBuilder, text: str, parser: Parser) -> TextIssue | None:
    """Build the document; the issue after which that could not go on."""
    if match := _DIRECTIVE.match(text):
        return directive(text, match.end() - 1)
    loader = parser(text)
    try:
        return _feed(builder, text, loader.get_event)
    except TextIssueError as error:
        return error.issue
    except yaml.MarkedYAMLError as error:
        return explain(_trouble(builder, text, error))
    except ValueError as error:  # of the pure Python parser only: an escape beyond Unicode
        return TextIssue(*_last(builder), "yaml-syntax", f"not YAML: {error}")
    finally:
        loader.dispose()


def _feed(builder: DocumentBuilder, text: str, next_event: Callable[[], Event]) -> TextIssue | None:
    event = next_event()
    while not isinstance(event, DocumentEndEvent | StreamEndEvent):
        builder.feed(event)
        event = next_event()
    if isinstance(event, StreamEndEvent) or builder.is_empty:
        return TextIssue(0, 0, "empty-file", "the file is empty")
    builder.finish()
    return _rest(text, event)


def _rest(text: str, end: DocumentEndEvent) -> TextIssue | None:
    """What follows the end of the document, unless it is blank."""
    match = _NOTHING.match(text, span(end)[1])
    start = match.end() if match else len(text)
    if start == len(text):
        return None
    to = value_end(text, start)
    if end.explicit or text.startswith("---", start):
        message = "a second document begins here, and a file holds one"
        return TextIssue(start, to, "second-document", message, "move it to a file of its own")
    return TextIssue(start, to, "after-document", "this does not belong to the value above")


def _trouble(builder: DocumentBuilder, text: str, error: yaml.MarkedYAMLError) -> Trouble:
    at = error.problem_mark.index if error.problem_mark else _last(builder)[1]
    opened = error.context_mark.index if error.context_mark else at
    last = builder.last
    style = (last.style or "") if isinstance(last, ScalarEvent) else None
    reading, words = error.context or "", error.problem or "unreadable"
    return Trouble(text, reading, words, at, opened, *_last(builder), style, builder.in_flow)


def _last(builder: DocumentBuilder) -> tuple[int, int]:
    return span(builder.last) if builder.last else (0, 0)


def _decode(text: str | bytes) -> str:
    """The text with ``\\n`` for every line break and without a byte order mark."""
    size = len(text) if isinstance(text, bytes) or text.isascii() else _size(text)
    if size > MAX_BYTES:
        raise _refused("too-large", f"the file is larger than {MAX_BYTES // 1024} KB")
    decoded = _with_newlines(_utf_8(text) if isinstance(text, bytes) else text)
    if forbidden := _FORBIDDEN.search(decoded):
        place = SourceText(decoded).position(forbidden.start())
        char = ord(forbidden[0])
        hint = f'delete it, or write `"\\u{char:04x}"` in double quotes'
        raise _refused("bad-character", f"the invisible character U+{char:04X}", hint, place)
    return decoded


def _size(text: str) -> int:
    return len(text) if len(text) > MAX_BYTES else len(text.encode("utf-8", "surrogatepass"))


def _utf_8(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        good = _with_newlines(text[: error.start].decode("utf-8"))
        place = SourceText(good).position(len(good))
        message = "the file is not UTF-8 text"
        raise _refused("bad-encoding", message, "save it as UTF-8", place) from None


def _with_newlines(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _refused(
    code: str, message: str, hint: str | None = None, place: tuple[int, int] = (1, 1)
) -> YamlError:
    return YamlError([Diagnostic(*place, Severity.ERROR, code, message, hint)])
