"""One SQL statement as authors write it: where its ``:name`` parameters stand, and what it does.

All databases must read the text alike, or a parameter could end up inside what one of them takes
for a literal. Where they disagree (a backslash before a quote, ``#``, ``--5``) it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
READS = frozenset({"select", "values", "table", "with", "show", "explain", "describe", "pragma"})
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


class SqlTextError(Exception):
    """A text that is not one statement; ``offset`` and ``length`` say which part of it is wrong."""

    def __init__(
        self, code: str, message: str, offset: int, length: int, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset
        self.length = length
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Name:
    """A ``:name`` in a statement; ``offset`` is that of its colon."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, cut where its parameters stand.

    ``words`` are its keywords and plain names in lower case, in their order.
    """

    text: str
    pieces: tuple[str | Name, ...]
    words: tuple[str, ...]

    @property
    def names(self) -> tuple[Name, ...]:
        """Its parameters in the order of the text; one may stand there twice."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Name))

    @property
    def gives_rows(self) -> bool:
        """Whether it can have rows as its result."""
        return self.words[0] in READS or not _GIVES_ROWS.isdisjoint(self.words)

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
        SqlTextError: it is not one statement, or databases would read it differently.
    """
    pieces: list[str | Name] = []
    words: list[str] = []
    since, end = 0, len(text)
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        _refuse_doubtful(kind, match)
        if end < len(text) and kind not in ("line", "block", "end"):
            raise _wrong(match, "two-statements", "a step has one statement; here begins another",
                         "give it a step of its own, in a `transaction:` block")  # fmt: skip
        if kind == "name":
            pieces += [text[since : match.start()], Name(match["word"], match.start())]
            since = match.end()
        elif kind == "end":
            end = min(end, match.start())
        elif kind == "keyword":
            words.append(match[0].lower())
    pieces.append(text[since:end])
    return _checked(Statement(text, tuple(pieces), tuple(words)))


def _checked(statement: Statement) -> Statement:
    words = statement.words
    if not words:
        raise SqlTextError("empty", "there is no statement", 0, 0, "write `sql: select …`")
    offset, length = statement.text.lower().index(words[0]), len(words[0])
    if words[0] in _TRANSACTION:
        message = f"`{words[0]}` is not for a `sql` step: transactions begin and end with a block"
        hint = "write `transaction:` and below it the `sql` steps that belong together"
        raise SqlTextError("bad-statement", message, offset, length, hint)
    if words[0] in _SESSION or words[:2] == ("lock", "tables"):
        message = f"`{words[0]}` changes a connection, and the next step may be given another one"
        hint = "set it up in the database itself, or in the url of `databases:`"
        raise SqlTextError("bad-statement", message, offset, length, hint)
    return statement


def _refuse_doubtful(kind: str, match: re.Match[str]) -> None:
    token = match[0]
    if _is_open(kind, token):
        raise _wrong(match, "unclosed", f"what begins with `{token[:2].strip()}` does not end here")
    if kind == "quoted" and _has_escaped_quote(token):
        raise _wrong(match, "bad-statement", "databases disagree about a backslash before a quote",
                     f"write the quote twice, {token[0] * 2}, or use a parameter")  # fmt: skip
    if kind == "line" and not token[2:3].isspace() and token != "--":
        message = "databases disagree about `--` without a space: a comment, or two minus signs"
        raise _wrong(match, "bad-statement", message, "write a space after it, or between them")
    if kind == "block" and "/*" in token[2:]:
        message = "databases disagree about a comment inside a comment"
        raise _wrong(match, "bad-statement", message, "end the first one before it")
    if kind == "hash" and _may_open(match["rest"]):
        message = "databases disagree about `#`: a comment, or an operator"
        raise _wrong(match, "bad-statement", message, "write `-- ` before a comment")


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
    left = _BALANCED.sub("", rest)
    return "/*" in rest or any(mark in left for mark in "'\"`$")


_BALANCED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`""")


def _wrong(match: re.Match[str], code: str, message: str, hint: str | None = None) -> SqlTextError:
    return SqlTextError(code, message, match.start(), len(match[0]), hint)
