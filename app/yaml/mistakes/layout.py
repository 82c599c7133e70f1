"""What an author probably meant where lines do not fit together: indentation, dashes, colons.

Like :mod:`app.yaml.mistakes.known`: one function a family of mistakes, ``None`` if it is another one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from app.yaml.lines import TextLine, Trouble, line_at, write
from app.yaml.source import TextIssue

WIDE_SPACES = "\u00a0\u3000"
"""No-break and ideographic space: they look like spaces, and YAML takes them for text."""

_WIDE_COLON = re.compile(r"([^\s:：]+)：[ \t\u00a0\u3000]*")
_DASH_GLUED = re.compile(r"-[^\s\d.-]")
_COLON_GLUED = re.compile(r"[^\W\d][\w$.-]*:[^ \t\n/:]")
_EQUALS = re.compile(r"[\w.-]+[ \t]*(=)[^=]")
_BRACKET_GLUED = re.compile(r"[^\W\d][\w$.-]*[:：](?=[{[])")


def tab(trouble: Trouble) -> TextIssue | None:
    """A tab where YAML wants spaces."""
    text, start = trouble.text, trouble.at
    if trouble.char != "\t":
        return None
    end = len(text) - len(text[start:].lstrip("\t"))
    if text[trouble.line.start : start].strip():
        message, repair = "a tab where YAML wants a space", ((start, end, " " * (end - start)),)
        return TextIssue(start, end, "tab", message, "write a space instead", repair=repair)
    message = "the line is indented with a tab"
    return TextIssue(start, end, "tab", message, "indent with spaces, two for each level")


def stray_dash(trouble: Trouble) -> TextIssue | None:
    """``then: - return: {}``."""
    line, at = trouble.line, trouble.at
    if not line.has_key:
        return None
    item = write(trouble.text[at : line.end].rstrip())
    hint = f"{item} on the next line, indented, or put the value in quotes" if item else None
    message = f"a list cannot begin on the line of its key `{_key(trouble.text, line)}`"
    return TextIssue(at, at + 1, "list-after-key", message, hint)


def value_above(trouble: Trouble) -> TextIssue | None:
    """``:`` where the lines above were read as one text: which line is at fault?"""
    if not trouble.is_above(trouble.last_start):
        return None
    above = line_at(trouble.text, trouble.last_start)
    if above.content == trouble.last_start:
        return without_colon(trouble.text, above)
    return _too_deep(trouble, above)


def _too_deep(trouble: Trouble, above: TextLine) -> TextIssue:
    line = trouble.line
    number, key = _number(trouble.text, above), _key(trouble.text, above)
    message = f"indented deeper than `{key}` of line {number}, which has a value on its own line"
    hint = f"indent it with {_spaces(above.content_indent)}, like line {number}"
    return TextIssue(line.content, line.value_end, "wrong-indentation", message, hint)


def line_without_colon(trouble: Trouble) -> TextIssue | None:
    """A line that should be ``key: value`` and is not."""
    return without_colon(trouble.text, line_at(trouble.text, trouble.opened))


def without_colon(text: str, line: TextLine) -> TextIssue:
    """The advice for a line that is neither ``key: value`` nor ``- item``."""
    return (
        glued(text, line.content, line.value_end)
        or _equals_sign(text, line)
        or _missing_colon(text, line)
    )


def glued(text: str, start: int, end: int) -> TextIssue | None:
    """``key:value``, ``key：value`` or ``-item``, if that is what stands at ``start``."""
    if match := _WIDE_COLON.match(text, start, end):
        colon = match.end(1)
        hint = write(f"{match[1]}: {text[match.end() : end]}".rstrip())
        message = "`：` is a full-width colon, which is part of the text"
        edit = (colon, colon + 1, ": ")
        return TextIssue(colon, colon + 1, "full-width", message, hint, repair=(edit,))
    for pattern, name in ((_DASH_GLUED, "dash"), (_COLON_GLUED, "colon")):
        if match := pattern.match(text, start, end):
            return missing_space(text, (start, match.end() - 1, end), name)
    return None


def glued_bracket(text: str, start: int, end: int) -> TextIssue | None:
    """``- return:{}``, which is one text, and ``set:{a: 1}``, whose key is ``set:{a``."""
    return glued(text, start, end) if _BRACKET_GLUED.match(text, start, end) else None


def missing_space(text: str, places: tuple[int, int, int], name: str) -> TextIssue:
    """The advice to put a space at the second of three places: start, space, end of the value."""
    start, at, end = places
    hint = write(f"{text[start:at]} {text[at:end].lstrip(WIDE_SPACES)}")
    message = f"a space is missing after the {name}"
    return TextIssue(start, at, "missing-space", message, hint, repair=((at, at, " "),))


def _equals_sign(text: str, line: TextLine) -> TextIssue | None:
    match = _EQUALS.match(text, line.content, line.value_end)
    if match is None:
        return None
    at, key = match.start(1), text[line.content : match.start(1)].rstrip()
    hint = write(f"{key}: {text[at + 1 : line.value_end].lstrip()}")
    message = "`=` where a key ends with `:`"
    return TextIssue(at, at + 1, "equals-sign", message, hint, repair=((at, at + 1, ": "),))


def _missing_colon(text: str, line: TextLine) -> TextIssue:
    content, end = text[line.content : line.value_end], line.value_end
    is_key = re.fullmatch(r"[\w$.-]+", content) is not None
    message = "a line that is neither `key: value` nor `- item`"
    text_hint = "end the key with `:`, or indent the line to continue the text above"
    hint = write(f"{content}:") if is_key else text_hint
    repair = ((end, end, ":"),) if is_key else ()
    return TextIssue(line.content, end, "missing-colon", message, hint, repair=repair)


def misplaced_line(trouble: Trouble) -> TextIssue | None:
    """A line that fits none of the blocks above it."""
    text, line = trouble.text, trouble.line
    if text[line.content : trouble.at].strip():
        return None
    above = line_at(text, trouble.last_start)
    is_quoted = trouble.last_style in ("'", '"') and trouble.is_above(trouble.last_start)
    if is_quoted and above.content_indent < line.indent:
        return _too_deep(trouble, above)
    return glued(text, line.first, line.value_end) or _dash_and_keys(trouble) or _between(trouble)


def stray_character(trouble: Trouble) -> TextIssue | None:
    """A bracket that closes nothing, or a ``:`` without a key."""
    if trouble.char not in (":", "}", "]", ","):
        return None
    message = f"nothing before this `{trouble.char}` belongs to it"
    return TextIssue(trouble.at, trouble.at + 1, "unexpected-character", message, "delete it")


def _dash_and_keys(trouble: Trouble) -> TextIssue | None:
    """A list item among keys, or a key among list items, at their very column."""
    text, line, opened = trouble.text, trouble.line, line_at(trouble.text, trouble.opened)
    column, wanted = trouble.at - line.start, trouble.opened - opened.start
    if column != wanted or (line.is_item and opened.is_item):
        return None
    if line.is_item:
        return _missing_dash(trouble, opened)
    message = f"a key where line {_number(text, opened)} began a list"
    deeper = _spaces(wanted + 2)
    hint = f"indent it with {deeper} to continue the item above, or write `- ` before it"
    return TextIssue(trouble.at, line.value_end, "missing-dash", message, hint)


def _missing_dash(trouble: Trouble, opened: TextLine) -> TextIssue:
    """The advice to make the block that ``opened`` begins a list, as the line in trouble is."""
    text = trouble.text
    number = _number(text, trouble.line)
    message = f"no `- ` here, although the block goes on with a list item in line {number}"
    hint = write(f"- {text[opened.content : opened.value_end]}")
    return TextIssue(opened.content, opened.value_end, "missing-dash", message, hint)


def _between(trouble: Trouble) -> TextIssue:
    """An indentation that no block above has."""
    text, line = trouble.text, trouble.line
    above = list(_blocks_above(text, line))
    if line.is_item and (keys := _keys_where_items_follow(above, line)):
        return _missing_dash(trouble, keys)
    lists = [(block.indent, block) for block in above if block.is_item and line.is_item]
    places = lists or [(block.content_indent, block) for block in above]
    places.sort(key=lambda place: abs(place[0] - line.indent))
    hints = [f"{_spaces(column)} (like line {_number(text, at)})" for column, at in places[:2]]
    hint = f"indent it with {' or '.join(hints)}" if hints else None
    message = f"indented with {_spaces(line.indent)}, which fits no line above"
    return TextIssue(line.first, line.value_end, "wrong-indentation", message, hint)


def _keys_where_items_follow(above: list[TextLine], item: TextLine) -> TextLine | None:
    """The block just below a key whose first line lacks the dash that ``item`` has."""
    for block, environment in itertools.pairwise(above):
        if environment.indent < item.indent < block.indent and not block.is_item:
            return block if environment.content_indent < block.indent else None
    return None


def _blocks_above(text: str, line: TextLine) -> Iterator[TextLine]:
    """The first line of each block that reaches down to a line, the innermost first."""
    first, end = None, line.start
    while end > 0:
        above = line_at(text, end - 1)
        end = above.start
        if above.first == above.value_end or (first and above.indent > first.indent):
            continue
        if first and above.indent < first.indent:
            yield first
        first = above
    if first:
        yield first


def _number(text: str, line: TextLine) -> int:
    return text.count("\n", 0, line.start) + 1


def _spaces(count: int) -> str:
    return "1 space" if count == 1 else f"{count or 'no'} spaces"


def _key(text: str, line: TextLine) -> str:
    return text[line.content : line.value].rstrip(" \t:")
