"""What an author probably meant where brackets go wrong: inside ``{…}`` and ``[…]``.

Like :mod:`app.yaml.mistakes.known`: one function a family of mistakes, ``None`` if it is another one.
"""

from __future__ import annotations

from app.yaml.lines import Trouble, flow_value_end, line_at, quote, quoted, value_end, write
from app.yaml.mistakes.known import ends_with_line, in_quotes
from app.yaml.mistakes.layout import missing_space
from app.yaml.source import TextIssue


def unquoted_in_flow(trouble: Trouble) -> TextIssue | None:
    """``{name: ${inputs.name}}``, ``{path: a[0]}``: brackets end an unquoted value there."""
    text, at, start = trouble.text, trouble.at, trouble.last_start
    touches = trouble.last_style == "" and trouble.last_end == at and trouble.char in ("{", "[")
    if not touches or trouble.is_above(start):
        return None
    end = flow_value_end(text, start)
    expression = text[at - 1] == "$"
    message = (
        "`${…}` inside `{…}` or `[…]` must be in quotes"
        if expression
        else f"`{trouble.char}` inside a value that is not in quotes"
    )
    code = "unquoted-expression" if expression else "unquoted-bracket"
    hint = write(quoted(text[start:end])) or "put the value in quotes"
    return TextIssue(start, end, code, message, hint, repair=quote(text, start, end))


def broken_flow(trouble: Trouble) -> TextIssue | None:
    """A bracket that is never closed, or closed by another one, or a comma left out."""
    text, at, opened = trouble.text, trouble.at, trouble.opened
    bracket = text[opened : opened + 1]
    close = {"{": "}", "[": "]"}.get(bracket)
    if close is None:
        return None
    if trouble.char in ("}", "]"):
        number = text.count("\n", 0, opened) + 1
        message = f"the `{bracket}` of line {number} is closed by `{trouble.char}`"
        return TextIssue(at, at + 1, "mismatched-bracket", message, f"write `{close}`")
    if trouble.is_above(opened) and (trouble.char in (":", "") or _is_entry(trouble)):
        return _unclosed_bracket(text, opened, bracket, close)
    return _missing_comma(trouble)


def _is_entry(trouble: Trouble) -> bool:
    """Whether the parser stopped at a line that is not indented below the bracket's line."""
    return trouble.line.indent <= line_at(trouble.text, trouble.opened).content_indent


def _unclosed_bracket(text: str, opened: int, bracket: str, close: str) -> TextIssue:
    end = value_end(text, opened)
    message = f"the bracket `{bracket}` opens here and is not closed"
    hint = write(text[opened:end] + close)
    repair = ((end, end, close),) if ends_with_line(text, opened) else ()
    return TextIssue(opened, opened + 1, "unclosed-bracket", message, hint, repair=repair)


def _missing_comma(trouble: Trouble) -> TextIssue:
    text, at, start = trouble.text, trouble.at, trouble.last_start
    if trouble.char == ":" and trouble.last_style == "":
        words = text[start:at].split()
        if "，" in text[start:at]:
            return _wide_comma(text, start + text[start:at].index("，"))
        if len(words) == 1:
            end, message = flow_value_end(text, start), "`: ` inside a value that is not in quotes"
            return in_quotes(text, start, end, "unquoted-colon", message, (at, at + 1))
        at -= len(words[-1]) if words else 0
    message = "a comma is missing before this"
    hint = "write `,` between two items; put a value with special characters in quotes"
    return TextIssue(at, at + 1, "missing-comma", message, hint)


def _wide_comma(text: str, at: int) -> TextIssue:
    message = "`，` is a full-width comma, which is part of the text"
    return TextIssue(at, at + 1, "full-width", message, "write `, `", repair=((at, at + 1, ", "),))


def no_content(trouble: Trouble) -> TextIssue | None:
    """``a: , x`` and ``[a,, b]``."""
    if trouble.in_flow or trouble.char not in (",", "]", "}"):
        message, hint = "a value is missing before this", "delete it, or write the value"
        return TextIssue(trouble.at, trouble.at + 1, "missing-value", message, hint)
    message = f"a value that begins with `{trouble.char}` must be in quotes"
    end = value_end(trouble.text, trouble.at)
    return in_quotes(trouble.text, trouble.at, end, "reserved-character", message)


def glued_in_flow(trouble: Trouble) -> TextIssue | None:
    """``{items:[a]}`` and ``{user:{id: 1}}``."""
    text, at = trouble.text, trouble.at
    if trouble.char != ":":
        return None
    before = text[trouble.line.start : at]
    start = trouble.line.start + max(before.rfind(mark) for mark in "{[, ") + 1
    return missing_space(text, (start, at + 1, flow_value_end(text, at + 1)), "colon")
