"""The text of a ``sql`` step: one statement, its ``:name`` parameters, and what it does.

All databases must read the text alike, or a parameter could end up inside what one of them takes
for a literal. Where they disagree (a backslash before a quote, ``#``, ``--5``) it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields

from app.expression import Issue
from app.language.fields import JsonSchema, describe, validation_error

_TOKEN = re.compile(
    r"""
      (?P<quoted>   '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) )
    | (?P<dollar>   \$(?P<tag>[A-Za-z_]\w*)?\$.*?(?:\$(?(tag)(?P=tag))\$|\Z) )
    | (?P<line>     --[^\n]* )
    | (?P<block>    /\*.*?(?:\*/|\Z) )
    | (?P<hash>     \#(?=(?P<rest>[^\n]*)) )
    | (?P<colons>   ::|:= )
    | (?P<name>     (?<![\w:]):(?P<word>[A-Za-z_]\w*) )
    | (?P<end>      ; )
    | (?P<keyword>  \w+ )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_CLOSED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`""")
_READS = frozenset({"select", "values", "table", "with", "show", "explain", "describe", "pragma"})
"""Statements that begin like this give rows."""
_CHANGES = frozenset({"insert", "update", "delete", "merge", "into"})
_GIVES_ROWS = frozenset({"returning", "call"})
_TRANSACTION = frozenset(
    {"begin", "start", "commit", "rollback", "savepoint", "release", "end", "abort", "xa"}
)
_SESSION = frozenset(
    {"set", "reset", "use", "attach", "detach", "discard", "listen", "unlisten", "prepare",
     "deallocate", "unlock"}
)  # fmt: skip
"""Statements whose effect stays with a connection, which another run is given next."""


@dataclass(frozen=True, slots=True)
class Name:
    """A ``:name`` in a statement; ``offset`` is that of its colon."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement. ``pieces`` are its text, cut at its parameters.

    ``words`` are its keywords and plain names in lower case, in their order.
    """

    text: str
    pieces: tuple[str | Name, ...]
    words: tuple[str, ...]

    @property
    def names(self) -> tuple[Name, ...]:
        """Its parameters in the order of the text; a name may come twice."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Name))

    @property
    def gives_rows(self) -> bool:
        """Whether it can have rows as its result."""
        return self.words[0] in _READS or not _GIVES_ROWS.isdisjoint(self.words)

    @property
    def only_reads(self) -> bool:
        """Whether it is a query and nothing else, which may be read portion by portion."""
        return self.words[0] in ("select", "values", "with") and _CHANGES.isdisjoint(self.words)

    def render(
        self,
        placeholder: Callable[[str], str],
        literal: Callable[[str], str],
        values: Mapping[str, Any],
    ) -> tuple[str, dict[str, Any]]:
        """The text and the values as a driver takes them; a list becomes as many parameters."""
        flat: dict[str, Any] = {}
        text = "".join(
            literal(piece)
            if isinstance(piece, str)
            else ", ".join(map(placeholder, _spread(piece.name, values[piece.name], flat)))
            for piece in self.pieces
        )
        return text, flat


def _spread(name: str, value: Any, flat: dict[str, Any]) -> Iterator[str]:
    """Put a value, or each of a list, into ``flat``; the names it has there."""
    items = enumerate(value) if isinstance(value, list) else [(None, value)]
    for index, item in items:
        key = name if index is None else f"{name}__{index}"
        flat[key] = item
        yield key


def parse(text: str) -> Statement:
    """Read a statement.

    Raises:
        ValidationError: it is not one statement, or databases would read it differently.
    """
    pieces: list[str | Name] = []
    words: list[str] = []
    since, end = 0, len(text)
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        _refuse_doubtful(kind, match)
        if end < len(text) and kind not in ("line", "block", "end"):
            hint = "give it a step of its own, in a `transaction:` block"
            message = "a step has one statement; here begins another"
            raise _wrong(match.span(), message, hint, "two-statements")
        if kind == "name":
            pieces += [text[since : match.start()], Name(match["word"], match.start())]
            since = match.end()
        elif kind == "end":
            end = min(end, match.start())
        elif kind == "keyword":
            words.append(match[0].lower())
    pieces.append(text[since:end])
    _refuse_control(text, words)
    return Statement(text, tuple(pieces), tuple(words))


def _refuse_control(text: str, words: list[str]) -> None:
    """Refuse what is no statement, and what is about the transaction or the connection."""
    if not words:
        raise _wrong((0, 0), "there is no statement", "write `sql: select …`", "empty")
    first = words[0]
    start = text.lower().index(first)
    if first in _TRANSACTION:
        message = f"`{first}` is not for a `sql` step: transactions begin and end with a block"
        hint = "write `transaction:` and below it the `sql` steps that belong together"
        raise _wrong((start, start + len(first)), message, hint)
    if first in _SESSION or words[:2] == ["lock", "tables"]:
        message = f"`{first}` changes a connection, and the next step may be given another one"
        hint = "set it up in the database itself, or in the url of `databases:`"
        raise _wrong((start, start + len(first)), message, hint)


def _refuse_doubtful(kind: str, match: re.Match[str]) -> None:
    """Refuse a token that does not end, or that databases read differently."""
    token, span = match[0], match.span()
    if _is_open(kind, token):
        message = f"what begins with `{token[:2].strip()}` does not end here"
        raise _wrong(span, message, code="unclosed")
    if kind == "quoted" and _has_escaped_quote(token):
        message = "databases disagree about a backslash before a quote"
        raise _wrong(span, message, f"write the quote twice, {token[0] * 2}, or use a parameter")
    if kind == "line" and not token[2:3].isspace() and token != "--":
        message = "databases disagree about `--` without a space: a comment, or two minus signs"
        raise _wrong(span, message, "write a space after it, or between them")
    if kind == "block" and "/*" in token[2:]:
        message = "databases disagree about a comment inside a comment"
        raise _wrong(span, message, "end the first one before it")
    if kind == "hash" and _may_open(match["rest"]):
        message = "databases disagree about `#`: a comment, or an operator"
        raise _wrong(span, message, "write `-- ` before a comment")


def _is_open(kind: str, token: str) -> bool:
    if kind == "quoted":
        return token.count(token[0]) % 2 == 1
    if kind == "dollar":
        mark = token[: token.index("$", 1) + 1]
        return not token.endswith(mark) or len(token) < 2 * len(mark)
    return kind == "block" and (not token.endswith("*/") or len(token) < 4)


def _has_escaped_quote(token: str) -> bool:
    """Whether a quote inside, or the last one, follows an odd number of backslashes."""
    runs = re.finditer(r"(\\+)" + token[0], token)
    return token[0] != "`" and any(len(run[1]) % 2 for run in runs)


def _may_open(rest: str) -> bool:
    """Whether what follows a `#` in its line could begin a literal or a comment that goes on."""
    return "/*" in rest or not set("'\"`$").isdisjoint(_CLOSED.sub("", rest))


def _wrong(
    span: tuple[int, int], message: str, hint: str | None = None, code: str = "bad-statement"
) -> ValidationError:
    return ValidationError([Issue(code, message, span[0], span[1] - span[0], hint)])


class SqlText(fields.Field[Statement]):
    """One statement, with ``:name`` in the place of each parameter."""

    stand_in = parse("select 1")

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Statement:
        if not isinstance(value, str):
            hint = "write `sql: select …`, or `sql: |` and the statement below it"
            raise validation_error(
                "wrong-type", f"expected a statement, got {describe(value)}", hint
            )
        if "${" in value:
            start = value.index("${")
            end = value.find("}", start) + 1 or len(value)
            written = " ".join(value[start:end].split())
            message = "no `${…}` in a statement: a value could become a part of it"
            hint = f"write `:name` here, and `params: {{name: '{written}'}}` below"
            raise _wrong((start, end), message, hint, "sql-template")
        return parse(value)
