"""What an author probably meant where the YAML parser gave up: its own words say little.

One function for each family of mistakes. It looks at the text near the place where the parser
stopped, and returns ``None`` if the mistake is of another family.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from app.yaml.lines import TextIssue, TextLine, line_at, quote, quoted, value_end, write

WIDE_SPACES = "\u00a0\u3000"
"""No-break and ideographic space: they look like spaces, and YAML takes them for text."""

_MEANING = {
    "*": "begins a YAML alias", "&": "begins a YAML anchor", "%": "begins a YAML directive",
    "|": "begins a text block", ">": "begins a text block", "?": "begins a YAML key",
    "@": "means nothing in YAML", "`": "means nothing in YAML",
}  # fmt: skip
_LONGEST_KEY = 1024
_STRAY_COLON = "`: ` inside a value that is not in quotes"
_TAG = re.compile(r"\S+")
_NEGATION = re.compile(r"!(?![!<=\s])[^\s/:]+(?:\s*$|\s+(?:(?:and|or|in|not|if|is)\b|[^\w\s\"'$]))")
_TEMPLATE = re.compile(r"\{\{([^{}\n]*)\}\}")
_ENTRY = re.compile(r"( *)(?:- |[\w.$-]+:(?: |$))")
_WIDE_COLON = re.compile(r"([^\s:：]+)：[ \t\u00a0\u3000]*")
_DASH_GLUED = re.compile(r"-[^\s\d.-]")
_COLON_GLUED = re.compile(r"[^\W\d][\w$.-]*:[^ \t\n/:]")
_BRACKET_GLUED = re.compile(r"[^\W\d][\w$.-]*[:：](?=[{[])")
_EQUALS = re.compile(r"[\w.-]+[ \t]*(=)[^=]")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Where the parser gave up. All places are offsets into ``text``."""

    text: str
    reading: str
    """What the parser was reading, in its words; empty if it does not say."""
    words: str
    """What it missed, in its words."""
    at: int
    """Where it noticed."""
    opened: int
    """Where the thing begins that it was reading; ``at`` if it does not say."""
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


def explain(trouble: Trouble) -> TextIssue:
    """What is wrong, and what to write instead if it is a known mistake."""
    families = _AT_CHARACTER.get(trouble.char, ())
    if trouble.reading:
        families = next(found for words, found in _WHILE_READING if words in trouble.reading)
    for family in families:
        if issue := family(trouble):
            return issue
    return TextIssue(trouble.at, trouble.at + 1, "yaml-syntax", f"not YAML: {trouble.words}")


# Quotes: values that YAML takes for something else.


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
    meant = _TEMPLATE.sub(lambda match: "${" + match[1].strip() + "}", text[start:end])
    line = line_at(text, start)
    is_value = line.value == start and ": " not in meant
    hint = write(text[line.content : start] + meant if is_value else quoted(meant))
    repair = list(quote(text, start, end))
    for match in _TEMPLATE.finditer(text, start, end):
        repair.append((match.start(), match.start() + 2, "${"))
        repair.append((match.end() - 2, match.end(), " }"))
    message = "`{{ … }}` is not an expression here: an expression is written `${…}`"
    return TextIssue(start, end, "template-braces", message, hint, repair=tuple(repair))


def reserved(text: str, start: int, end: int) -> TextIssue:
    """The advice for a value that begins with a character YAML keeps for itself."""
    char = text[start]
    message = f"`{char}` at the beginning of a value {_MEANING[char]}"
    return in_quotes(text, start, end, "reserved-character", message, (start, start + 1))


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


def directive(text: str, start: int) -> TextIssue:
    """The advice for a line that begins with ``%``."""
    message = "`%` at the beginning of a line begins a YAML directive, and none is allowed"
    hint = "delete the line, or put its key in quotes"
    return TextIssue(start, value_end(text, start), "yaml-directive", message, hint)


def open_quote(text: str, start: int) -> TextIssue:
    """The advice to close, on its line, the quote that opens at ``start``."""
    mark, end = text[start], value_end(text, start)
    hint = write(text[start:end] + mark)
    message = f"the quote `{mark}` opens here and is not closed on this line"
    repair = ((end, end, mark),) if _ends_with_line(text, start) else ()
    return TextIssue(start, start + 1, "unclosed-quote", message, hint, repair=repair)


def _ends_with_line(text: str, start: int) -> bool:
    """Whether the line below is a new entry, so the value at ``start`` can only end on its line."""
    line = line_at(text, start)
    below = line_at(text, min(line.end + 1, len(text)))
    return below.first == below.end or below.indent <= line.content_indent


def swallows_keys(text: str, start: int, end: int) -> bool:
    """Whether a quoted text runs over what looks like new entries: its quote was not closed."""
    indent = line_at(text, start).content_indent
    below = map(_ENTRY.match, text[start:end].split("\n")[1:])
    return any(entry and len(entry[1]) <= indent for entry in below)


def _leading_tag(trouble: Trouble) -> TextIssue | None:
    """``if: !{x}``: something that is not even a well-formed tag."""
    start = trouble.opened
    return tag(trouble.text, start, value_end(trouble.text, start, in_flow=trouble.in_flow))


def _directive(trouble: Trouble) -> TextIssue | None:
    return directive(trouble.text, trouble.opened)


def _unclosed_quote(trouble: Trouble) -> TextIssue | None:
    """``name: "x``: told at the line where the quote opened."""
    return open_quote(trouble.text, trouble.opened)


def _bad_first_character(trouble: Trouble) -> TextIssue | None:
    """A value that begins with a character YAML keeps for itself: ``@x``, ``*.x``, ``> 5``."""
    text, start = trouble.text, trouble.opened
    if text.startswith("{%", start - 1):
        end, message = value_end(text, start), "`{% … %}` means nothing here"
        return in_quotes(text, start - 1, end, "template-braces", message)
    if text[start : start + 1] not in _MEANING:
        return None
    return reserved(text, start, value_end(text, start, in_flow=trouble.in_flow))


def _bad_escape(trouble: Trouble) -> TextIssue | None:
    """``"\\d"``."""
    text, at = trouble.text, trouble.at
    slash = at if trouble.char == "\\" else text.rfind("\\", trouble.opened, at)
    message = f"`{text[slash : slash + 2]}` is not an escape that double quotes know"
    hint = f"write `\\{text[slash : slash + 2]}`, or use single quotes"
    return TextIssue(slash, slash + 2, "bad-escape", message, hint, repair=((slash, slash, "\\"),))


def _text_after_value(trouble: Trouble) -> TextIssue | None:
    """``if: 'a' == x``, ``name: 'it's'``, ``url: {{ x }}/y``, ``for_each: [1] + x``."""
    text, line, at = trouble.text, trouble.line, trouble.at
    if not text[line.content : at].strip():
        return None
    start, end = line.value, line.value_end
    if trouble.last_style in ("'", '"') and trouble.is_above(trouble.last_start):
        start = trouble.last_start
        if swallows_keys(text, start, trouble.last_end):
            return open_quote(text, start)
    if text.startswith("{{", start):
        return template(text, start, end)
    if not text.startswith(("'", '"', "[", "{"), start):
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


# Colons and dashes: lines that are not what their author takes them for.


def glued(text: str, start: int, end: int) -> TextIssue | None:
    """``key:value``, ``key：value`` or ``-item``, if the text at ``start`` is one of these."""
    if match := _WIDE_COLON.match(text, start, end):
        colon = match.end(1)
        hint = write(f"{match[1]}: {text[match.end() : end]}".rstrip())
        message = "`：` is a full-width colon, which is part of the text"
        edit = (colon, colon + 1, ": ")
        return TextIssue(colon, colon + 1, "full-width", message, hint, repair=(edit,))
    for pattern, name in ((_DASH_GLUED, "dash"), (_COLON_GLUED, "colon")):
        if match := pattern.match(text, start, end):
            return _missing_space(text, (start, match.end() - 1, end), name)
    return None


def glued_bracket(text: str, start: int, end: int) -> TextIssue | None:
    """``- return:{}``, which is one text, and ``set:{a: 1}``, whose key is ``set:{a``."""
    return glued(text, start, end) if _BRACKET_GLUED.match(text, start, end) else None


def _glued_in_flow(trouble: Trouble) -> TextIssue | None:
    """``{items:[a]}`` and ``{user:{id: 1}}``."""
    text, at = trouble.text, trouble.at
    before = text[trouble.line.start : at]
    start = trouble.line.start + max(before.rfind(mark) for mark in "{[, ") + 1
    return _missing_space(text, (start, at + 1, value_end(text, at + 1, in_flow=True)), "colon")


def _missing_space(text: str, places: tuple[int, int, int], name: str) -> TextIssue:
    """The advice to put a space at the second of three places: start, space, end of the value."""
    start, at, end = places
    hint = write(f"{text[start:at]} {text[at:end].lstrip(WIDE_SPACES)}")
    message = f"a space is missing after the {name}"
    return TextIssue(start, at, "missing-space", message, hint, repair=((at, at, " "),))


def _stray_colon(trouble: Trouble) -> TextIssue | None:
    """``message: Error: no``."""
    text, line = trouble.text, trouble.line
    if not line.has_key or line.value > trouble.at:
        return None
    mark = (trouble.at, trouble.at + 1)
    issue = in_quotes(text, line.value, line.value_end, "unquoted-colon", _STRAY_COLON, mark)
    value = text[line.value : line.value_end]
    hint = _conditional(value) or f"{issue.hint}, or put a nested mapping on lines of its own"
    return replace(issue, hint=hint)


def _conditional(value: str) -> str | None:
    """The hint for ``a ? b : c``."""
    if " ? " not in value:
        return None
    condition, _, blocks = value.removeprefix("${").removesuffix("}").partition(" ? ")
    first, _, second = blocks.partition(":")
    choice = f"{first.strip()} if {condition.strip()} else {second.strip()}"
    return write(f"${{{choice}}}" if value.startswith("${") else choice)


def _long_key(trouble: Trouble) -> TextIssue | None:
    """A key beyond the 1,024 characters that YAML allows."""
    start = trouble.line.content
    if trouble.at - start <= _LONGEST_KEY:
        return None
    message = f"a key of more than {_LONGEST_KEY} characters"
    return TextIssue(start, trouble.at, "long-key", message, "shorten it")


def _stray_dash(trouble: Trouble) -> TextIssue | None:
    """``then: - return: {}``."""
    line, at = trouble.line, trouble.at
    if not line.has_key:
        return None
    item = write(trouble.text[at : line.end].rstrip())
    hint = f"{item} on the next line, indented, or put the value in quotes" if item else None
    message = f"a list cannot begin on the line of its key `{_key(trouble.text, line)}`"
    return TextIssue(at, at + 1, "list-after-key", message, hint)


def _value_above(trouble: Trouble) -> TextIssue | None:
    """``:`` where the lines above were read as one text: which line is wrong?"""
    if not trouble.is_above(trouble.last_start):
        return None
    above = line_at(trouble.text, trouble.last_start)
    if above.content == trouble.last_start:
        return _without_colon(trouble.text, above)
    return _too_deep(trouble, above)


def _line_without_colon(trouble: Trouble) -> TextIssue | None:
    return _without_colon(trouble.text, line_at(trouble.text, trouble.opened))


def _without_colon(text: str, line: TextLine) -> TextIssue:
    """The advice for a line that is neither ``key: value`` nor ``- item``."""
    content, end = text[line.content : line.value_end], line.value_end
    if found := glued(text, line.content, end):
        return found
    if match := _EQUALS.match(text, line.content, end):
        at = match.start(1)
        hint = write(f"{text[line.content : at].rstrip()}: {text[at + 1 : end].lstrip()}")
        message, edit = "`=` where a key ends with `:`", (at, at + 1, ": ")
        return TextIssue(at, at + 1, "equals-sign", message, hint, repair=(edit,))
    is_key = re.fullmatch(r"[\w$.-]+", content) is not None
    message = "a line that is neither `key: value` nor `- item`"
    text_hint = "end the key with `:`, or indent the line to continue the text above"
    hint = write(f"{content}:") if is_key else text_hint
    repair = ((end, end, ":"),) if is_key else ()
    return TextIssue(line.content, end, "missing-colon", message, hint, repair=repair)


def _stray_character(trouble: Trouble) -> TextIssue | None:
    """A bracket that closes nothing, or a ``:`` without a key."""
    if trouble.char not in (":", "}", "]", ","):
        return None
    message = f"nothing before this `{trouble.char}` belongs to it"
    return TextIssue(trouble.at, trouble.at + 1, "unexpected-character", message, "delete it")


# Indentation.


def _tab(trouble: Trouble) -> TextIssue | None:
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


def _misplaced_line(trouble: Trouble) -> TextIssue | None:
    """A line that fits none of the blocks above it."""
    text, line = trouble.text, trouble.line
    if text[line.content : trouble.at].strip():
        return None
    above = line_at(text, trouble.last_start)
    is_quoted = trouble.last_style in ("'", '"') and trouble.is_above(trouble.last_start)
    if is_quoted and above.content_indent < line.indent:
        return _too_deep(trouble, above)
    return glued(text, line.first, line.value_end) or _dash_and_keys(trouble) or _between(trouble)


def _too_deep(trouble: Trouble, above: TextLine) -> TextIssue:
    line = trouble.line
    number, key = _number(trouble.text, above), _key(trouble.text, above)
    message = f"indented deeper than `{key}` of line {number}, which has a value on its own line"
    hint = f"indent it with {_spaces(above.content_indent)}, like line {number}"
    return TextIssue(line.content, line.value_end, "wrong-indentation", message, hint)


def _dash_and_keys(trouble: Trouble) -> TextIssue | None:
    """A list item among keys, or a key among list items, at their very column."""
    text, line, opened = trouble.text, trouble.line, line_at(trouble.text, trouble.opened)
    column, wanted = trouble.at - line.start, trouble.opened - opened.start
    if column != wanted or (line.is_item and opened.is_item):
        return None
    if line.is_item:
        return _missing_dash(trouble, opened)
    message = f"a key where line {_number(text, opened)} began a list"
    hint = f"indent it with {_spaces(wanted + 2)} to continue the item above, "
    hint += "or write `- ` before it"
    return TextIssue(trouble.at, line.value_end, "missing-dash", message, hint)


def _missing_dash(trouble: Trouble, opened: TextLine) -> TextIssue:
    """The advice to make the block that ``opened`` begins a list, as the line in trouble is."""
    text, number = trouble.text, _number(trouble.text, trouble.line)
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
    for block, parent in itertools.pairwise(above):
        if parent.indent < item.indent < block.indent and not block.is_item:
            return block if parent.content_indent < block.indent else None
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


# Inside ``{…}`` and ``[…]``.


def _unquoted_in_flow(trouble: Trouble) -> TextIssue | None:
    """``{name: ${inputs.name}}``, ``{path: a[0]}``: brackets end an unquoted value there."""
    text, at, start = trouble.text, trouble.at, trouble.last_start
    touches = trouble.last_style == "" and trouble.last_end == at and trouble.char in ("{", "[")
    if not touches or trouble.is_above(start):
        return None
    code, message = "unquoted-bracket", f"`{trouble.char}` inside a value that is not in quotes"
    if text[at - 1] == "$":
        code, message = "unquoted-expression", "`${…}` inside `{…}` or `[…]` must be in quotes"
    end = value_end(text, start, in_flow=True)
    hint = write(quoted(text[start:end])) or "put the value in quotes"
    return TextIssue(start, end, code, message, hint, repair=quote(text, start, end))


def _broken_flow(trouble: Trouble) -> TextIssue | None:
    """A bracket that is never closed, or closed by another one, or a comma left out."""
    text, at, opened = trouble.text, trouble.at, trouble.opened
    bracket, close = text[opened], "}" if text[opened] == "{" else "]"
    if trouble.char in ("}", "]"):
        number = text.count("\n", 0, opened) + 1
        message = f"the `{bracket}` of line {number} is closed by `{trouble.char}`"
        return TextIssue(at, at + 1, "mismatched-bracket", message, f"write `{close}`")
    is_entry = trouble.line.indent <= line_at(text, opened).content_indent
    if trouble.is_above(opened) and (trouble.char in (":", "") or is_entry):
        end = value_end(text, opened)
        message = f"the bracket `{bracket}` opens here and is not closed"
        hint = write(text[opened:end] + close)
        repair = ((end, end, close),) if _ends_with_line(text, opened) else ()
        return TextIssue(opened, opened + 1, "unclosed-bracket", message, hint, repair=repair)
    return _missing_comma(trouble)


def _missing_comma(trouble: Trouble) -> TextIssue:
    text, at, start = trouble.text, trouble.at, trouble.last_start
    if trouble.char == ":" and trouble.last_style == "":
        comma, words = text.find("，", start, at), text[start:at].split()
        if comma >= 0:
            message, edit = "`，` is a full-width comma, which is part of the text", ", "
            repair = ((comma, comma + 1, edit),)
            return TextIssue(comma, comma + 1, "full-width", message, "write `, `", repair=repair)
        if len(words) == 1:
            end, message = value_end(text, start, in_flow=True), _STRAY_COLON
            return in_quotes(text, start, end, "unquoted-colon", message, (at, at + 1))
        at -= len(words[-1]) if words else 0
    message = "a comma is missing before this"
    hint = "write `,` between two items; put a value with special characters in quotes"
    return TextIssue(at, at + 1, "missing-comma", message, hint)


def _no_content(trouble: Trouble) -> TextIssue | None:
    """``a: , x`` and ``[a,, b]``."""
    if trouble.in_flow or trouble.char not in (",", "]", "}"):
        message, hint = "a value is missing before this", "delete it, or write the value"
        return TextIssue(trouble.at, trouble.at + 1, "missing-value", message, hint)
    message = f"a value that begins with `{trouble.char}` must be in quotes"
    end = value_end(trouble.text, trouble.at)
    return in_quotes(trouble.text, trouble.at, end, "reserved-character", message)


_Family = Callable[[Trouble], TextIssue | None]

_WHILE_READING: tuple[tuple[str, tuple[_Family, ...]], ...] = (
    ("a tag", (_leading_tag,)),
    ("a directive", (_directive,)),
    ("parsing a quoted scalar", (_bad_escape,)),
    ("double-quoted scalar", (_bad_escape,)),
    ("quoted scalar", (_unclosed_quote,)),
    ("an alias", (_bad_first_character,)),
    ("an anchor", (_bad_first_character,)),
    ("plain scalar", (_tab, _glued_in_flow)),
    ("simple key", (_line_without_colon,)),
    ("flow mapping", (_unquoted_in_flow, _broken_flow)),
    ("flow sequence", (_unquoted_in_flow, _broken_flow)),
    ("node", (_no_content,)),
    ("block mapping", (_stray_character, _text_after_value, _misplaced_line)),
    ("block collection", (_stray_character, _text_after_value, _misplaced_line)),
    ("", (_tab, _bad_first_character)),
)
"""What the parser (libyaml's or the pure Python one) was reading, and who may know the cause."""

_AT_CHARACTER: Mapping[str, tuple[_Family, ...]] = {
    ":": (_value_above, _stray_colon, _long_key),
    "-": (_stray_dash,),
    "?": (_bad_first_character,),
}
"""The same by the character at which the parser stopped, where it does not say more."""
