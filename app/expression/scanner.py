"""From text to Python's syntax tree, or to what is wrong with its words.

The scan finds where a ``${…}`` really ends (brackets and quotes are understood, not guessed), and
it reports every sign and word of other languages at its own place, which a parser could not.
"""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass
from typing import NamedTuple

from app.expression.errors import Issue, TemplatePath
from app.expression.hints import MISTAKES, KnownMistake, plain_sign, unknown_sign
from app.expression.limits import MAX_SOURCE

FILENAME = "<expression>"
"""The file name of all compiled code."""

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | (?P<name>[^\W\d]\w*)
    | (?P<number>(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<bad_number>\.?\d[\w.]*)
    | (?P<text>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    | (?P<quoted>[“”„‘’«»][^“”„‘’«»\r\n]*[“”‘’«»])
    | (?P<sign>&&|\|\||[=!]==?|=>|=<|<>|<<|>>|[<>]=|:=|\?[?.]|\*\*|//|\$\{|\{\{|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:[\\'\"nrtbf]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|U0010[0-9a-fA-F]{4}|(.))",
    re.DOTALL,
)
_SIGNS = frozenset(
    "+ - * / // % ** < > <= >= == != . , : ( ) [ ] { }".split()  # noqa: SIM905 - reads better
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Source:
    """An expression: ``text`` begins at ``offset`` of the scalar at ``path`` of a template.

    ``code`` is what Python parses: as long as ``text``, character by character and byte by byte,
    but with spaces for line breaks and underscores for keywords that are field names.
    """

    text: str
    code: str
    offset: int
    path: TemplatePath

    def issue(self, node: ast.expr, code: str, message: str, hint: str | None = None) -> Issue:
        """An issue about the text of a syntax node."""
        start, end = self.span(node)
        return Issue(code, message, self.offset + start, end - start, hint, self.path)

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where a node begins and ends, in characters of ``text``."""
        return self._characters(node.col_offset), self._characters(node.end_col_offset or 0)

    def written(self, node: ast.expr) -> str:
        """A node's own text."""
        start, end = self.span(node)
        return self.text[start:end]

    def field(self, node: ast.Attribute) -> str:
        """The name after the dot."""
        if node.attr.strip("_"):
            return node.attr
        end = self.span(node)[1]
        return self.text[end - len(node.attr) : end]

    def _characters(self, byte_offset: int) -> int:
        if self.code.isascii():
            return byte_offset
        return len(self.code.encode()[:byte_offset].decode())


class Scan(NamedTuple):
    """One expression found. ``end`` is the offset of its closing brace, or of the text's end."""

    source: Source
    end: int
    issues: tuple[Issue, ...]


def scan(text: str, start: int = 0, path: TemplatePath = ()) -> Scan:
    """Scan a text that is one expression, or the expression after a ``${`` that ends at ``start``.

    ``path`` is the place of the text, for the issues.
    """
    return _Scanner(text, start, path).scan()


class _Scanner:
    """One pass over the tokens of one expression."""

    def __init__(self, text: str, start: int, path: TemplatePath) -> None:
        self.text = text
        self.start = start
        self.path = path
        self.is_hole = start > 0
        self.is_closed = not self.is_hole
        self.end = len(text)
        self.issues: list[Issue] = []
        self.brackets: list[tuple[str, int]] = []
        """Those that are open, with their offsets."""
        self.code: list[str] = []
        self.before: re.Match[str] | None = None
        """The token before this one, spaces left out."""

    def scan(self) -> Scan:
        for token in _TOKEN.finditer(self.text, self.start):
            if self.is_hole and token[0] == "}" and self._is_the_end():
                self.is_closed, self.end = True, token.start()
                break
            if token[0] in ("'", '"'):
                self._give_up(token)
                break
            self.code.append(self._read(token))
            if token.lastgroup != "space":
                self.before = token
        self._check_closed()
        return Scan(self._source(), self.end, tuple(self.issues))

    def _is_the_end(self) -> bool:
        return not any(sign == "{" for sign, _ in self.brackets)

    def _give_up(self, quote: re.Match[str]) -> None:
        """From an unclosed quote on, text and code cannot be told apart: skip to the next ``}``."""
        self._report(quote, "the text that begins here is never closed")
        end = self.text.find("}", quote.end()) if self.is_hole else -1
        self.is_closed, self.end = True, end if end >= 0 else len(self.text)
        self.brackets.clear()

    def _check_closed(self) -> None:
        if not self.is_closed:
            hint = "write `}` after the expression, or `$${` for a literal `${`"
            mistake = KnownMistake("`${` is never closed", hint, "unclosed")
            self._report_at(self.start - 2, 2, mistake)
            return
        for sign, offset in self.brackets:
            self._report_at(offset, len(sign), KnownMistake(f"`{sign}` is never closed"))

    def _source(self) -> Source:
        code = "".join(self.code)
        start = self.start + len(code) - len(code.lstrip(" "))
        code = code.strip(" ")
        return Source(self.text[start : start + len(code)], code, start, self.path)

    def _report(self, token: re.Match[str], message: str, hint: str | None = None) -> None:
        self._report_at(token.start(), len(token[0]), KnownMistake(message, hint))

    def _report_at(self, offset: int, length: int, mistake: KnownMistake) -> None:
        message, hint, code = mistake
        self.issues.append(Issue(code, message, offset, length, hint, self.path))

    def _read(self, token: re.Match[str]) -> str:
        """Check a token; what Python reads in its place, which is as long."""
        match token.lastgroup:
            case "space":
                return " " * len(token[0])
            case "name":
                return self._read_name(token)
            case "text":
                self._read_text(token)
            case "sign":
                self._read_sign(token)
            case "bad_number":
                self._report(token, f"`{token[0]}` is not a number")
            case "quoted":
                hint = f'write `"{token[0][1:-1][:40]}"`'
                self._report(token, "these are not the quotes of a text", hint)
        return token[0]

    def _read_name(self, token: re.Match[str]) -> str:
        name = token[0]
        if self.before is not None and self.before[0] == ".":
            return "_" * len(name) if keyword.iskeyword(name) else name
        if name in MISTAKES:
            self._report_at(token.start(), len(name), MISTAKES[name])
        return name

    def _read_text(self, token: re.Match[str]) -> None:
        before = self.before
        if before is not None and before.lastgroup == "text":
            self._report(token, "two texts follow each other", "write `+` or `,` between them")
        elif before is not None and before.lastgroup == "name" and before.end() == token.start():
            self._check_prefix(before)
        for escape in _ESCAPE.finditer(token[0]) if "\\" in token[0] else ():
            if escape[1] is not None:
                message = f"`{escape[0]}` has no meaning in a text"
                mistake = KnownMistake(message, f"write `\\{escape[0]}`")
                self._report_at(token.start() + escape.start(), len(escape[0]), mistake)

    def _check_prefix(self, name: re.Match[str]) -> None:
        if not keyword.iskeyword(name[0]):
            hint = 'write `"a " + str(b)`, or `a ${b}` in the text of the flow'
            self._report(name, "a text has no letters before it", hint)

    def _read_sign(self, token: re.Match[str]) -> None:
        if token[0] not in _SIGNS:
            self._report_at(token.start(), len(token[0]), unknown_sign(token[0]))
        sign = plain_sign(token[0])
        if sign in _PAIRS:
            self._close(token, _PAIRS[sign])
        elif sign in ("(", "[", "{", "{{", "${"):
            self.brackets += [(bracket, token.start()) for bracket in sign.lstrip("$")]

    def _close(self, token: re.Match[str], opening: str) -> None:
        if not self.brackets:
            self._report(token, f"`{token[0]}` closes nothing")
        elif (open_sign := self.brackets.pop()[0]) != opening:
            self._report(token, f"`{token[0]}` does not close `{open_sign}`")


def parse(source: Source) -> ast.expr | Issue:
    """Parse an expression whose scan found no issue."""
    if len(source.text) > MAX_SOURCE:
        message = f"an expression has at most {MAX_SOURCE:,} characters"
        return _whole(source, "too-long", message, "compute a part of it in a `set` step")
    if not source.text:
        return _whole(source, "empty", "there is no expression here")
    try:
        return ast.parse(source.code, FILENAME, "eval").body
    except SyntaxError as error:
        if not error.msg.startswith("too many nested"):
            return _syntax_issue(source, error)
    except (RecursionError, MemoryError):
        pass
    except ValueError:
        return _whole(source, "syntax", "the expression holds a character that no text can hold")
    return _whole(source, "too-deep", "the expression is nested too deeply")


def _whole(source: Source, code: str, message: str, hint: str | None = None) -> Issue:
    return Issue(code, message, source.offset, max(1, len(source.text)), hint, source.path)


def _syntax_issue(source: Source, error: SyntaxError) -> Issue:
    # Where a text ends too early, Python gives offset 0, or from 3.14 on its last character.
    is_over = not error.offset or error.end_offset == -1
    start = len(source.text) if is_over else min((error.offset or 0) - 1, len(source.text))
    token = _TOKEN.match(source.text, start)
    shown = token[0] if token else ""
    hint = None
    if error.msg.startswith("expected 'else'"):
        message, hint = "`if` has no `else`", "write `a if condition else b`"
    elif "forgot a comma" in error.msg:
        message, hint = "something is missing between two values", "write `,` or an operator"
    elif shown.strip():
        message = f"`{shown[:40]}` does not fit here"
    else:
        message = "the expression ends too early"
    offset = min(start, max(len(source.text) - 1, 0))
    return Issue("syntax", message, source.offset + offset, max(1, len(shown)), hint, source.path)
