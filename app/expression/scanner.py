"""From text to an expression that Python's parser may see, or to what is wrong with its words.

The scan finds where a ``${…}`` really ends (brackets and quotes are understood, not guessed), and
it reports every sign and word of other languages at its own place, which a parser could not.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.expression.problem import Issue, TemplatePath
from app.expression.source import Source
from app.expression.traps import WORDS, KnownMistake, plain_sign, sign_trap

TOKEN = re.compile(
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


class Scan(NamedTuple):
    """One expression found. ``end`` is behind it: at its closing brace, or where the text ends."""

    source: Source
    end: int
    problems: tuple[Issue, ...]


def scan_whole(text: str) -> Scan:
    """Scan a text that is one expression."""
    return Scanner(text, 0, (), is_hole=False).scan()


def scan_hole(text: str, start: int, path: TemplatePath) -> Scan:
    """Scan the expression that begins at ``start``, just behind ``${``."""
    return Scanner(text, start, path, is_hole=True).scan()


class Scanner:
    """One pass over the tokens of one expression."""

    def __init__(self, text: str, start: int, path: TemplatePath, *, is_hole: bool) -> None:
        self.text = text
        self.start = start
        self.path = path
        self.is_hole = is_hole
        self.is_closed = not is_hole
        self.end = len(text)
        self.problems: list[Issue] = []
        self.brackets: list[tuple[str, int]] = []
        self.edits: list[tuple[int, int, str]] = []
        self.before: re.Match[str] | None = None
        """The token before this one, spaces left out."""

    def scan(self) -> Scan:
        for token in TOKEN.finditer(self.text, self.start):
            if self.is_hole and token[0] == "}" and self._is_the_end():
                self.is_closed, self.end = True, token.start()
                break
            if token[0] in ("'", '"'):
                self._give_up(token)
                break
            _READERS[token.lastgroup or "sign"](self, token)
            if token.lastgroup != "space":
                self.before = token
        self._check_closed()
        return Scan(self._source(), self.end, tuple(self.problems))

    def _is_the_end(self) -> bool:
        return not any(sign == "{" for sign, _ in self.brackets)

    def _give_up(self, quote: re.Match[str]) -> None:
        """Nobody knows what stands inside a text and what does not; go on behind the next ``}``."""
        self._report_token(
            quote, KnownMistake("syntax", "the text that begins here is never closed")
        )
        end = self.text.find("}", quote.end()) if self.is_hole else -1
        self.is_closed, self.end = True, end if end >= 0 else len(self.text)
        self.brackets.clear()

    def _check_closed(self) -> None:
        if not self.is_closed:
            hint = "write `}` behind the expression, or `$${` for a literal `${`"
            self._report(self.start - 2, 2, KnownMistake("unclosed", "`${` is never closed", hint))
            return
        for sign, offset in self.brackets:
            self._report(offset, len(sign), KnownMistake("syntax", f"`{sign}` is never closed"))

    def _source(self) -> Source:
        code = self._code()
        lead = len(code) - len(code.lstrip(" "))
        code = code.strip(" ")
        start = self.start + lead
        return Source(self.text[start : start + len(code)], code, start, self.path)

    def _code(self) -> str:
        """The text with the edits made, which change no length."""
        pieces, position = [], self.start
        for start, end, new in self.edits:
            pieces += [self.text[position:start], new]
            position = end
        return "".join([*pieces, self.text[position : self.end]])

    def _report(self, offset: int, length: int, trap: KnownMistake) -> None:
        self.problems.append(Issue(trap.code, trap.message, offset, length, trap.hint, self.path))

    def _report_token(self, token: re.Match[str], trap: KnownMistake) -> None:
        self._report(token.start(), len(token[0]), trap)

    # One reader for each kind of token

    def read_space(self, token: re.Match[str]) -> None:
        if token[0].strip(" "):
            self.edits.append((token.start(), token.end(), " " * len(token[0])))

    def read_name(self, token: re.Match[str]) -> None:
        name = token[0]
        if self.before is not None and self.before[0] == ".":
            if keyword.iskeyword(name):
                self.edits.append((token.start(), token.end(), "_" * len(name)))
        elif name in WORDS:
            self._report_token(token, WORDS[name])

    def read_number(self, token: re.Match[str]) -> None:
        """Nothing can be wrong with it yet."""

    def read_bad_number(self, token: re.Match[str]) -> None:
        self._report_token(token, KnownMistake("syntax", f"`{token[0]}` is not a number"))

    def read_text(self, token: re.Match[str]) -> None:
        before = self.before
        if before is not None and before.lastgroup == "text":
            hint = "write `+` or `,` between them"
            self._report_token(token, KnownMistake("syntax", "two texts stand side by side", hint))
        elif before is not None and before.lastgroup == "name" and before.end() == token.start():
            self._check_prefix(before)
        if "\\" in token[0]:
            self._check_escapes(token)

    def _check_prefix(self, name: re.Match[str]) -> None:
        if not keyword.iskeyword(name[0]):
            hint = 'write `"a " + str(b)`, or `a ${b}` in the text of the flow'
            self._report_token(
                name, KnownMistake("syntax", "a text has no letters before it", hint)
            )

    def _check_escapes(self, token: re.Match[str]) -> None:
        for escape in _ESCAPE.finditer(token[0]):
            if escape[1] is not None:
                trap = KnownMistake(
                    "syntax", f"`{escape[0]}` has no meaning in a text", f"write `\\{escape[0]}`"
                )
                self._report(token.start() + escape.start(), len(escape[0]), trap)

    def read_quoted(self, token: re.Match[str]) -> None:
        hint = f'write `"{token[0][1:-1][:40]}"`'
        self._report_token(
            token, KnownMistake("syntax", "these are not the quotes of a text", hint)
        )

    def read_sign(self, token: re.Match[str]) -> None:
        if token[0] not in _SIGNS:
            self._report_token(token, sign_trap(token[0]))
        sign = plain_sign(token[0])
        if sign in _PAIRS:
            self._close(token, _PAIRS[sign])
        elif sign in ("(", "[", "{", "{{", "${"):
            self.brackets += [(bracket, token.start()) for bracket in sign.lstrip("$")]

    def _close(self, token: re.Match[str], opening: str) -> None:
        if not self.brackets:
            self._report_token(token, KnownMistake("syntax", f"`{token[0]}` closes nothing"))
        elif (open_sign := self.brackets.pop()[0]) != opening:
            message = f"`{token[0]}` does not close `{open_sign}`"
            self._report_token(token, KnownMistake("syntax", message))


_READERS: Mapping[str, Callable[[Scanner, re.Match[str]], None]] = {
    "space": Scanner.read_space,
    "name": Scanner.read_name,
    "number": Scanner.read_number,
    "bad_number": Scanner.read_bad_number,
    "text": Scanner.read_text,
    "quoted": Scanner.read_quoted,
    "sign": Scanner.read_sign,
}
