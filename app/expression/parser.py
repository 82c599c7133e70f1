"""From a scanned expression to Python's syntax tree, or to the reason why there is none."""

from __future__ import annotations

import ast

from app.expression.limits import MAX_SOURCE
from app.expression.problem import Issue
from app.expression.scanner import TOKEN
from app.expression.source import Source


def parse(source: Source) -> ast.expr | Issue:
    """Parse an expression whose scan found no problem."""
    if len(source.text) > MAX_SOURCE:
        message = f"an expression has at most {MAX_SOURCE:,} characters"
        return _whole(source, "too-long", message, "compute a part of it in a `set` step")
    if not source.text:
        return _whole(source, "empty", "there is no expression here")
    try:
        return ast.parse(source.code, "<expression>", "eval").body
    except SyntaxError as error:
        if error.msg.startswith("too many nested"):
            return _too_deep(source)
        return _syntax_problem(source, error)
    except (RecursionError, MemoryError):
        return _too_deep(source)
    except ValueError:
        return _whole(source, "syntax", "the expression holds a character that no text can hold")


def _too_deep(source: Source) -> Issue:
    return _whole(source, "too-deep", "the expression is nested too deeply")


def _whole(source: Source, code: str, message: str, hint: str | None = None) -> Issue:
    length = max(1, len(source.text))
    return Issue(code, message, source.offset, length, hint, source.path)


def _syntax_problem(source: Source, error: SyntaxError) -> Issue:
    # Where a text ends too early, Python gives offset 0, or from 3.14 on its last character.
    is_over = not error.offset or error.end_offset == -1
    start = len(source.text) if is_over else min((error.offset or 0) - 1, len(source.text))
    token = TOKEN.match(source.text, start)
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
