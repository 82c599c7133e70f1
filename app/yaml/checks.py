"""Mistakes in text that is YAML all the same: what YAML reads is not what the author meant."""

from __future__ import annotations

import re
from dataclasses import replace

from yaml.events import AliasEvent, CollectionStartEvent, Event, NodeEvent, ScalarEvent

from app.yaml.diagnostics import Severity
from app.yaml.lines import TextIssue, TextIssueError, line_at, span, value_end
from app.yaml.mistakes import (
    WIDE_SPACES,
    glued,
    glued_bracket,
    in_quotes,
    negated,
    open_quote,
    reserved,
    swallows_keys,
    tag,
    template,
)
from app.yaml.scalars import meant, resolve

MAX_ISSUES = 100
"""Issues of one file that are reported."""

_COMMENT = re.compile(r"[ \t]+(#[^\n]*)")
_QUOTED = re.compile(r"(?<!\w)(?:'[^']*'|\"[^\"]*\")")
_OPEN_QUOTE = re.compile(r"(?<!\w)['\"]")
_ENDS_FLOW_ITEM = re.compile(r"[ \t\n]*[,}]")


class Checks:
    """Looks at events. An issue that spoils what follows is raised, any other is ``found``."""

    def __init__(self, text: str) -> None:
        self.found: list[TextIssue] = []
        self._text = text

    def key(self, event: ScalarEvent, *, in_flow: bool) -> bool:
        """Check a key that is not an ordinary word; whether its value is to be kept."""
        key: str = event.value
        if event.tag:
            self.tag(event)
        if event.style:
            return True
        if key == "<<":
            self._report(event, "merge-key", "merge keys (`<<`) are not allowed",
                         "write the keys out")  # fmt: skip
            return False
        if _is_text(key):
            self._glued_key(event, in_flow=in_flow)
        else:
            name = f"`{key}`" if key else "an empty key"
            message = f"a key must be text, and {name} is not"
            self._report(event, "non-string-key", message, f'write `"{key}"`')
        return True

    def duplicate_key(self, event: ScalarEvent, first: Event | None, *, in_list: bool) -> None:
        """A key that its mapping holds already."""
        line = self._text.count("\n", 0, span(first)[0]) + 1 if first else 0
        where = f", first on line {line}" if first else ""
        hint = "delete one of the two" + ", or begin a new list item with `- `" * in_list
        message = f"the key `{event.value}` is given twice in one mapping{where}"
        self._report(event, "duplicate-key", message, hint)

    def collection_as_key(self, event: CollectionStartEvent, parent: CollectionStartEvent) -> None:
        """A key that is itself a mapping or a list, as in an unquoted ``{{ x }}``."""
        text, start = self._text, span(parent)[1] - 1
        if span(event)[0] == start + 1 and text.startswith("{{", start):
            in_flow = line_at(text, start).value != start
            raise TextIssueError(template(text, start, value_end(text, start, in_flow=in_flow)))
        message = "a key must be text, and this one is a mapping or a list"
        self._report(event, "non-string-key", message, "write text before the `:`")

    def root(self, event: ScalarEvent) -> None:
        """A document that is one text: perhaps all its keys lack a space."""
        start, _ = span(event)
        _raise(glued(self._text, start, line_at(self._text, start).value_end))

    def plain(self, event: ScalarEvent, key: Event | None) -> None:
        """A value that is not in quotes."""
        text: str = event.value
        if "{" in text or "'" in text or '"' in text:
            self._cut_by_comment(event)
        if "{{" in text and "}}" in text:
            message = "`{{ … }}` is text here: an expression is written `${…}`"
            self._warn(event, "template-braces", message, "write `${…}`, or put the text in quotes")
        if ":" in text or "：" in text or text[:1] == "-":
            self._glued_lines(event, key)
        if word := meant(text):
            message = f"`{text}` is text: only `true`, `false` and `null` are not"
            hint = f"write `{word}`, or put the text in quotes"
            self._warn(event, "looks-like-constant", message, hint)
        if event.anchor and not text:
            raise TextIssueError(reserved(self._text, *span(event)))

    def quoted(self, event: ScalarEvent) -> None:
        """A value in quotes: perhaps the closing quote is that of another value."""
        start, end = span(event)
        if event.style in ("'", '"') and swallows_keys(self._text, start, end):
            raise TextIssueError(open_quote(self._text, start))
        if not event.value.isascii() and re.search("[\ud800-\udfff]", event.value):
            message = "a \\ud800–\\udfff escape stands alone, which no text can hold"
            raise TextIssueError(issue_at(event, "bad-escape", message))

    def bad_number(self, event: ScalarEvent, message: str) -> None:
        """A number that JSON does not have."""
        self._report(event, "bad-number", message, "put it in quotes if it is text")

    def tagged(self, event: ScalarEvent) -> str:
        """A scalar with a tag; the text that was probably meant."""
        self.tag(event)
        return negated(self._text, *span(event)) or str(event.value)

    def tag(self, event: ScalarEvent | CollectionStartEvent) -> None:
        """A tag: none is allowed."""
        self._add(replace(tag(self._text, *span(event)), repair=()))

    def unused_anchor(self, event: NodeEvent) -> None:
        """``&name`` that no ``*name`` refers to; perhaps it is text."""
        hint = "delete it, or put the value in quotes if it is text"
        self._warn(event, "unused-anchor", f"the anchor `&{event.anchor}` is never used", hint)

    def undefined_alias(self, event: AliasEvent, *, in_flow: bool) -> TextIssueError:
        """``*name`` without ``&name`` above it; perhaps it is text."""
        start, end = span(event)
        to = value_end(self._text, start, in_flow=in_flow)
        message = f"`*` begins a YAML alias, and there is no anchor `&{event.anchor}` above"
        mark = (start, end)
        return TextIssueError(in_quotes(self._text, start, to, "undefined-alias", message, mark))

    def _glued_key(self, event: ScalarEvent, *, in_flow: bool) -> None:
        (start, end), text = span(event), self._text
        if text[start] in WIDE_SPACES:
            to = end - len(text[start:end].lstrip(WIDE_SPACES))
            message = "the line is indented with full-width or no-break spaces"
            edits = ((start, to, " " * (to - start)),)
            hint = "indent with plain spaces"
            _raise(TextIssue(start, to, "wide-space", message, hint, repair=edits))
        if in_flow:
            _raise(glued(text, start, end) if _ENDS_FLOW_ITEM.match(text, end) else None)
        else:
            find = glued if text[start] == "-" else glued_bracket
            _raise(find(text, start, line_at(text, start).value_end))

    def _cut_by_comment(self, event: ScalarEvent) -> None:
        (start, end), value = span(event), event.value
        comment = _COMMENT.match(self._text, end)
        closing = _closing(value)
        if comment is None or closing is None or closing not in comment[1]:
            return
        message = "` #` begins a comment, which cuts this value off"
        mark = (comment.start(1), comment.start(1) + 1)
        to = value_end(self._text, self._text.index(closing, mark[0]) + 1)
        _raise(in_quotes(self._text, start, to, "comment-in-value", message, mark))

    def _glued_lines(self, event: ScalarEvent, key: Event | None) -> None:
        """Warn of a value below its key all of whose lines look like a key or an item."""
        start, end = span(event)
        if key is None:
            _raise(glued_bracket(self._text, start, end))
        first, *others = self._text[start:end].split("\n")
        if not others and (key is None or "\n" not in self._text[span(key)[1] : start]):
            return
        issue = glued(self._text, start, start + len(first))
        indents = (len(line) - len(line.lstrip()) for line in others)
        if issue and all(map(glued, others, indents, map(len, others))):
            self._add(replace(issue, severity=Severity.WARNING, repair=()))

    def _report(self, event: NodeEvent, code: str, message: str, hint: str) -> None:
        self._add(issue_at(event, code, message, hint))

    def _warn(self, event: NodeEvent, code: str, message: str, hint: str) -> None:
        self._add(replace(issue_at(event, code, message, hint), severity=Severity.WARNING))

    def _add(self, issue: TextIssue) -> None:
        self.found.append(issue)
        if len(self.found) == MAX_ISSUES:
            message = f"{MAX_ISSUES} problems so far; what follows is not read"
            raise TextIssueError(TextIssue(issue.start, issue.end, "too-many-problems", message))


def issue_at(event: NodeEvent, code: str, message: str, hint: str | None = None) -> TextIssue:
    """An error in one value or key."""
    return TextIssue(*span(event), code, message, hint)


def _raise(issue: TextIssue | None) -> None:
    if issue:
        raise TextIssueError(issue)


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
