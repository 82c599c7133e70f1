"""What an author probably meant where the YAML parser gave up: its own words say little.

Each function recognises one family of mistakes from the text around the place, and answers ``None``
when the mistake is another one.
"""

from __future__ import annotations

import re

from app.yaml.lines import (
    Trouble,
    flow_value_end,
    line_at,
    quote,
    quoted,
    replace_templates,
    value_end,
    without_templates,
    write,
)
from app.yaml.source import TextIssue

_MEANING = {
    "*": "begins a YAML alias", "&": "begins a YAML anchor", "%": "begins a YAML directive",
    "|": "begins a text block", ">": "begins a text block", "?": "begins a YAML key",
    "@": "means nothing in YAML", "`": "means nothing in YAML",
}  # fmt: skip
_BRACKETS_OR_QUOTES = ("'", '"', "[", "{")
_LONGEST_KEY = 1024
_TAG = re.compile(r"\S+")
_NEGATION = re.compile(r"!(?![!<=\s])[^\s/:]+(?:\s*$|\s+(?:(?:and|or|in|not|if|is)\b|[^\w\s\"'$]))")
_ENTRY = re.compile(r"( *)(?:- |[\w.$-]+:(?: |$))")


def in_quotes(
    text: str, start: int, end: int, code: str, message: str, mark: tuple[int, int] | None = None
) -> TextIssue:
    """The advice to put the value ``[start, end)`` in quotes; ``mark`` is what to underline."""
    line = line_at(text, start)
    lead = text[line.content : start] if line.value == start else ""
    hint = write(lead + quoted(text[start:end])) or "put the value in quotes"
    return TextIssue(*(mark or (start, end)), code, message, hint, repair=quote(text, start, end))


def template(text: str, start: int, end: int) -> TextIssue:
    """The advice to write ``${x}`` for the ``{{ x }}`` that ``[start, end)`` begins with."""
    meant = without_templates(text[start:end])
    line = line_at(text, start)
    hint = (
        write(text[line.content : start] + meant)
        if line.value == start and ": " not in meant
        else write(quoted(meant))
    )
    quotes = quote(text, start, end)
    repair = (*quotes, *replace_templates(text, start, end)) if quotes else ()
    message = "`{{ … }}` is not an expression here: an expression is written `${…}`"
    return TextIssue(start, end, "template-braces", message, hint, repair=repair)


def stray_colon(trouble: Trouble) -> TextIssue | None:
    """``message: Error: no``."""
    text, line = trouble.text, trouble.line
    if not line.has_key or line.value > trouble.at:
        return None
    mark = (trouble.at, trouble.at + 1)
    message = "`: ` inside a value that is not in quotes"
    problem = in_quotes(text, line.value, line.value_end, "unquoted-colon", message, mark)
    value = text[line.value : line.value_end]
    hint = _conditional(value) or f"{problem.hint}, or put a nested mapping on lines of its own"
    return TextIssue(*mark, problem.code, message, hint, repair=problem.repair)


def _conditional(value: str) -> str | None:
    if " ? " not in value:
        return None
    condition, _, blocks = value.removeprefix("${").removesuffix("}").partition(" ? ")
    first, _, second = blocks.partition(":")
    choice = f"{first.strip()} if {condition.strip()} else {second.strip()}"
    return write(f"${{{choice}}}" if value.startswith("${") else choice)


def long_key(trouble: Trouble) -> TextIssue | None:
    """A key beyond the 1,024 characters that YAML allows."""
    start = trouble.line.content
    if trouble.at - start <= _LONGEST_KEY:
        return None
    message = f"a key of more than {_LONGEST_KEY} characters"
    return TextIssue(start, trouble.at, "long-key", message, "shorten it")


def bad_first_character(trouble: Trouble) -> TextIssue | None:
    """A value that begins with a character YAML keeps for itself: ``@x``, ``*.x``, ``> 5``."""
    text, start = trouble.text, trouble.opened
    if text.startswith("{%", start - 1):
        end, message = value_end(text, start), "`{% … %}` means nothing here"
        return in_quotes(text, start - 1, end, "template-braces", message)
    if text[start : start + 1] not in _MEANING:
        return None
    end = flow_value_end(text, start) if trouble.in_flow else value_end(text, start)
    return reserved(text, start, end)


def reserved(text: str, start: int, end: int) -> TextIssue:
    """The advice for a value that begins with a character YAML keeps for itself."""
    char = text[start]
    message = f"`{char}` at the beginning of a value {_MEANING[char]}"
    return in_quotes(text, start, end, "reserved-character", message, (start, start + 1))


def directive(trouble: Trouble) -> TextIssue | None:
    """``%x: 1`` at the beginning of a line."""
    text, start = trouble.text, trouble.opened
    if not text.startswith("%", start) or line_at(text, start).start != start:
        return None
    return directive_at(text, start)


def directive_at(text: str, start: int) -> TextIssue:
    """The advice for a line that begins with ``%``."""
    message = "`%` at the beginning of a line begins a YAML directive, and none is allowed"
    hint = "delete the line, or put its key in quotes"
    return TextIssue(start, value_end(text, start), "yaml-directive", message, hint)


def leading_tag(trouble: Trouble) -> TextIssue | None:
    """``if: !{x}``: something that is not even a well-formed tag."""
    text, start = trouble.text, trouble.opened
    if not text.startswith("!", start):
        return None
    end = flow_value_end(text, start) if trouble.in_flow else value_end(text, start)
    return tag(text, start, end)


def tag(text: str, start: int, end: int) -> TextIssue:
    """The advice for a value ``[start, end)`` that begins with ``!``: ``!x``, ``!!str 1``."""
    message = "`!` at the beginning of a value begins a YAML tag, and none is allowed"
    meant = negated(text, start, end)
    if meant is None:
        word = _TAG.match(text, start, end)
        to = word.end() if word else end
        return TextIssue(start, to, "yaml-tag", message, "delete the tag, or put text in quotes")
    negation = write(meant)
    hint = f"{negation} in an expression, or put text in quotes" if negation else None
    repair = ((start, start + 1, "not "),)
    return TextIssue(start, start + 1, "yaml-tag", message, hint, repair=repair)


def negated(text: str, start: int, end: int) -> str | None:
    """``not x`` for ``!x``; ``None`` for what looks like a tag: ``!!str 1``, ``!include x``."""
    if _NEGATION.match(text, start, end) is None:
        return None
    return f"not {text[start + 1 : end].strip()}"


def unclosed_quote(trouble: Trouble) -> TextIssue | None:
    """``name: "x`` at the line where the quote opened, wherever the parser noticed."""
    for start in (trouble.opened, trouble.last_start):
        if trouble.text[start : start + 1] in ("'", '"'):
            return open_quote(trouble.text, start)
    return None


def open_quote(text: str, start: int) -> TextIssue:
    """The advice to close, on its line, the quote that opens at ``start``."""
    mark, end = text[start], value_end(text, start)
    hint = write(text[start:end] + mark)
    message = f"the quote `{mark}` opens here and is not closed on this line"
    repair = ((end, end, mark),) if ends_with_line(text, start) else ()
    return TextIssue(start, start + 1, "unclosed-quote", message, hint, repair=repair)


def ends_with_line(text: str, start: int) -> bool:
    """Whether the line below is a new entry, so the value at ``start`` can only end on its line."""
    line = line_at(text, start)
    below = line_at(text, min(line.end + 1, len(text)))
    return below.first == below.end or below.indent <= line.content_indent


def swallows_keys(text: str, start: int, end: int) -> bool:
    """Whether a quoted text runs over what looks like new entries: its quote was not closed."""
    indent = line_at(text, start).content_indent
    below = map(_ENTRY.match, text[start:end].split("\n")[1:])
    return any(entry and len(entry[1]) <= indent for entry in below)


def bad_escape(trouble: Trouble) -> TextIssue | None:
    """``"\\d"``."""
    text, at = trouble.text, trouble.at
    slash = at if trouble.char == "\\" else text.rfind("\\", trouble.opened, at)
    if slash < 0:
        return None
    message = f"`{text[slash : slash + 2]}` is not an escape that double quotes know"
    hint = f"write `\\{text[slash : slash + 2]}`, or use single quotes"
    return TextIssue(slash, slash + 2, "bad-escape", message, hint, repair=((slash, slash, "\\"),))


def text_after_value(trouble: Trouble) -> TextIssue | None:
    """``if: 'a' == x``, ``name: 'it's'``, ``url: {{ x }}/y``, ``for_each: [1] + x``."""
    text, line, at = trouble.text, trouble.line, trouble.at
    if not text[line.content : at].strip() or trouble.char in ("}", "]", ","):
        return None
    start, end = line.value, line.value_end
    if trouble.last_style in ("'", '"') and trouble.is_above(trouble.last_start):
        start = trouble.last_start
        if swallows_keys(text, start, trouble.last_end):
            return open_quote(text, start)
    if text.startswith("{{", start):
        return template(text, start, end)
    if not text.startswith(_BRACKETS_OR_QUOTES, start):
        return None
    if text[start] in "\"'" and text[at - 1] == text[start] == text[end - 1]:
        return _quote_in_quotes(text, start, end, at)
    message = "a value that begins with a quote or a bracket must end with it"
    return in_quotes(text, start, end, "text-after-value", message, (at, end))


def _quote_in_quotes(text: str, start: int, end: int, at: int) -> TextIssue:
    mark, inner = text[start], text[start + 1 : end - 1]
    message = f"the quote `{mark}` inside the text ends the text"
    repair = ((at - 1, at - 1, "'" if mark == "'" else "\\"),)
    other = '"' if mark == "'" else "'"
    hint = write(f"{other}{inner}{other}") if other not in inner and "\\" not in inner else None
    return TextIssue(at - 1, at, "quote-in-quotes", message, hint, repair=repair)
