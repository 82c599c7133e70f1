"""Mistakes in text that is YAML all the same: what YAML reads is not what the author meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from yaml.events import AliasEvent, CollectionStartEvent, Event, NodeEvent, ScalarEvent

from app.yaml.diagnostics import Severity
from app.yaml.lines import flow_value_end, line_at, span, value_end
from app.yaml.mistakes.known import (
    in_quotes,
    negated,
    open_quote,
    reserved,
    swallows_keys,
    tag,
    template,
)
from app.yaml.mistakes.layout import WIDE_SPACES, glued, glued_bracket
from app.yaml.scalars import meant, resolve
from app.yaml.source import Edit, TextIssue, TextIssueError

_COMMENT = re.compile(r"[ \t]+(#[^\n]*)")
_QUOTED = re.compile(r"(?<!\w)(?:'[^']*'|\"[^\"]*\")")
_OPEN_QUOTE = re.compile(r"(?<!\w)['\"]")
_ENDS_FLOW_ITEM = re.compile(r"[ \t\n]*[,}]")


class Checks:
    """Looks at events. A problem that spoils what follows is raised, any other is reported."""

    def __init__(self, text: str, report: Callable[[TextIssue], None]) -> None:
        self._text = text
        self._report = report

    def key(self, event: ScalarEvent, *, in_flow: bool) -> bool:
        """Check a key that is not an ordinary word; whether its value is to be kept."""
        if event.tag:
            self.tag(event)
        if event.style:
            return True
        if event.value == "<<":
            self._merge_key(event)
            return False
        if not _is_text(event.value):
            self._key_not_text(event)
        else:
            self._glued_key(event, in_flow=in_flow)
        return True

    def duplicate_key(self, event: ScalarEvent, first: Event | None, *, in_list: bool) -> None:
        """A key that its mapping holds already."""
        line = self._text.count("\n", 0, span(first)[0]) + 1 if first else 0
        where = f", first on line {line}" if first else ""
        message = f"the key `{event.value}` stands twice in one mapping{where}"
        hint = "delete one of the two"
        if in_list:
            hint += ", or begin a new list item with `- `"
        self._report(problem_at(event, "duplicate-key", message, hint))

    def collection_as_key(self, event: CollectionStartEvent, parent: CollectionStartEvent) -> None:
        """A key that is itself a mapping or a list, as in an unquoted ``{{ x }}``."""
        start = span(parent)[1] - 1
        if span(event)[0] == start + 1 and self._text.startswith("{{", start):
            in_block = line_at(self._text, start).value == start
            end = value_end(self._text, start) if in_block else flow_value_end(self._text, start)
            raise TextIssueError(template(self._text, start, end))
        message = "a key must be text, and this one is a mapping or a list"
        self._report(problem_at(event, "non-string-key", message, "write text before the `:`"))

    def root(self, event: ScalarEvent) -> None:
        """A document that is one text: perhaps all its keys lack a space."""
        start, _ = span(event)
        if problem := glued(self._text, start, line_at(self._text, start).value_end):
            raise TextIssueError(problem)

    def plain(self, event: ScalarEvent, key: Event | None) -> None:
        """A value that is not in quotes."""
        text: str = event.value
        if "{" in text or "'" in text or '"' in text:
            self._cut_by_comment(event)
        if "{{" in text and "}}" in text:
            self._template_in_text(event)
        if ":" in text or "：" in text or text[:1] == "-":
            self._glued_lines(event, key)
        if word := meant(text):
            message = f"`{text}` is text: only `true`, `false` and `null` are not"
            hint = f"write `{word}`, or put the text in quotes"
            self._report(problem_at(event, "looks-like-constant", message, hint, Severity.WARNING))
        if event.anchor and not text:
            self._anchor_alone(event)

    def quoted(self, event: ScalarEvent) -> None:
        """A value in quotes: perhaps the closing quote is that of another value."""
        start, end = span(event)
        if event.style in ("'", '"') and swallows_keys(self._text, start, end):
            raise TextIssueError(open_quote(self._text, start))
        if not event.value.isascii() and re.search("[\ud800-\udfff]", event.value):
            message = "a \\ud800–\\udfff escape stands alone, which no text can hold"
            raise TextIssueError(problem_at(event, "bad-escape", message))

    def bad_number(self, event: ScalarEvent, message: str) -> None:
        """A number that JSON does not have."""
        self._report(problem_at(event, "bad-number", message, "put it in quotes if it is text"))

    def tagged(self, event: ScalarEvent) -> str:
        """A scalar with a tag; the text that was probably meant."""
        self.tag(event)
        return negated(self._text, *span(event)) or str(event.value)

    def tag(self, event: ScalarEvent | CollectionStartEvent) -> None:
        """A tag: none is allowed."""
        self._report(replace(tag(self._text, *span(event)), repair=()))

    def unused_anchor(self, event: NodeEvent) -> None:
        """``&name`` that no ``*name`` refers to; perhaps it is text."""
        message = f"the anchor `&{event.anchor}` is never used"
        hint = "delete it, or put the value in quotes if it is text"
        self._report(problem_at(event, "unused-anchor", message, hint, Severity.WARNING))

    def undefined_alias(self, event: AliasEvent, *, in_flow: bool) -> TextIssueError:
        """``*name`` without ``&name`` above it; perhaps it is text."""
        start, end = span(event)
        to = flow_value_end(self._text, start) if in_flow else value_end(self._text, start)
        message = f"`*` begins a YAML alias, and there is no anchor `&{event.anchor}` above"
        mark = (start, end)
        return TextIssueError(in_quotes(self._text, start, to, "undefined-alias", message, mark))

    def _merge_key(self, event: ScalarEvent) -> None:
        message = "merge keys (`<<`) are not allowed"
        self._report(problem_at(event, "merge-key", message, "write the keys out"))

    def _key_not_text(self, event: ScalarEvent) -> None:
        name = f"`{event.value}`" if event.value else "an empty key"
        message = f"a key must be text, and {name} is not"
        self._report(problem_at(event, "non-string-key", message, f'write `"{event.value}"`'))

    def _glued_key(self, event: ScalarEvent, *, in_flow: bool) -> None:
        (start, end), text = span(event), self._text
        if text[start] in WIDE_SPACES:
            raise TextIssueError(_wide_spaces(text, start, end))
        line_end = line_at(text, start).value_end
        if in_flow:
            problem = glued(text, start, end) if _ENDS_FLOW_ITEM.match(text, end) else None
        else:
            is_item = text[start] == "-"
            problem = (glued if is_item else glued_bracket)(text, start, line_end)
        if problem:
            raise TextIssueError(problem)

    def _cut_by_comment(self, event: ScalarEvent) -> None:
        (start, end), value = span(event), event.value
        comment = _COMMENT.match(self._text, end)
        closing = _closing(value)
        if comment is None or closing is None or closing not in comment[1]:
            return
        message = "` #` begins a comment, which cuts this value off"
        mark = (comment.start(1), comment.start(1) + 1)
        to = value_end(self._text, self._text.index(closing, mark[0]) + 1)
        raise TextIssueError(in_quotes(self._text, start, to, "comment-in-value", message, mark))

    def _template_in_text(self, event: ScalarEvent) -> None:
        message = "`{{ … }}` is text here: an expression is written `${…}`"
        hint = "write `${…}`, or put the text in quotes"
        self._report(problem_at(event, "template-braces", message, hint, Severity.WARNING))

    def _glued_lines(self, event: ScalarEvent, key: Event | None) -> None:
        """Warn of a value below its key all of whose lines look like a key or an item."""
        start, end = span(event)
        if key is None and (problem := glued_bracket(self._text, start, end)):
            raise TextIssueError(problem)
        first, *others = self._text[start:end].split("\n")
        if not others and (key is None or "\n" not in self._text[span(key)[1] : start]):
            return
        problem = glued(self._text, start, start + len(first))
        if problem and all(glued(line, _indent(line), len(line)) for line in others):
            self._report(replace(problem, severity=Severity.WARNING, repair=()))

    def _anchor_alone(self, event: ScalarEvent) -> None:
        start, end = span(event)
        raise TextIssueError(reserved(self._text, start, end))


def problem_at(
    event: NodeEvent, code: str, message: str, hint: str | None = None,
    severity: Severity = Severity.ERROR,
) -> TextIssue:  # fmt: skip
    """A problem with one value or key."""
    return TextIssue(*span(event), code, message, hint, severity)


def _wide_spaces(text: str, start: int, end: int) -> TextIssue:
    """A key behind characters that only look like spaces."""
    count = end - start - len(text[start:end].lstrip(WIDE_SPACES))
    edits: tuple[Edit, ...] = ((start, start + count, " " * count),)
    message = "the line is indented with full-width or no-break spaces"
    return TextIssue(
        start, start + count, "wide-space", message, "indent with plain spaces", repair=edits
    )


def _is_text(plain: str) -> bool:
    try:
        return isinstance(resolve(plain), str)
    except ValueError:
        return False


def _closing(value: str) -> str | None:
    """The character that closes the ``${…}`` or the quote within which ``value`` ends."""
    if "${" in value and value.count("{") > value.count("}"):
        return "}"
    quote = _OPEN_QUOTE.search(_QUOTED.sub("", value))
    return quote[0] if quote else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
