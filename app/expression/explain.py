"""From a failed evaluation to a sentence that says which part of the source failed, and why.

Compiled code has the columns of its source, and one line for each expression of a template. So the
traceback of an error tells the place (PEP 657). The sentences name fields, never values.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import islice
from types import FrameType, TracebackType
from typing import Any

from app.expression.errors import ExpressionError, Fault, Missing
from app.expression.functions.reading import NOT_THERE
from app.expression.hints import nearest
from app.expression.scanner import FILENAME, Source, scan
from app.expression.scope import ROOTS
from app.expression.syntax.reads import unwind
from app.expression.translator import SCOPE, VARIABLE
from app.expression.values import kind

FAULTS = (Fault, *NOT_THERE, ArithmeticError, ValueError, RecursionError)
"""What compiled code raises on purpose, or because of the data it meets."""

_UNKNOWN_READ = "a field or an item is missing"
_ABSENT = {
    "inputs": "there is no input{}",
    "steps": "no step{} has a result here",
    "vars": "no variable{} is set here",
    "env": "there is no environment variable{} for flows",
    "secrets": "there is no secret{}",
}
_PRIVATE = ("env", "secrets")
"""Roots whose other names are not told."""

_COUNTS = ("length", "size", "count", "len")
_MOST_NAMES = 8
_LONGEST_NAME = 40
_LONGEST_SOURCE = 100


def explain(error: BaseException, sources: Sequence[Source]) -> ExpressionError:
    """The error that an evaluation raises in place of ``error``."""
    frame, line, start, end = _place(error.__traceback__)
    written = sources[line - 1].text.encode()[start:end].decode(errors="replace")
    shown = _shortened(" ".join(written.split()), _LONGEST_SOURCE)
    return ExpressionError(f"`{shown}`: {_reason(error, written, frame)}")


def _place(traceback: TracebackType | None) -> tuple[FrameType, int, int, int | None]:
    """The innermost frame of compiled code, with line, first and last byte of the failed part.

    Python may have been told to keep no columns: then it is the whole line.
    """
    innermost = traceback
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME:
            innermost = traceback
        traceback = traceback.tb_next
    assert innermost is not None
    code, instruction = innermost.tb_frame.f_code, innermost.tb_lasti // 2
    _, _, start, end = next(islice(code.co_positions(), instruction, None), (None,) * 4)
    return innermost.tb_frame, innermost.tb_lineno, start or 0, end


def _reason(error: BaseException, written: str, frame: FrameType) -> str:
    if isinstance(error, Missing):
        # A computed key is a value, which may be a secret; one that is written is not.
        key = error.key if str(error.key) in written else None
        is_private = any(root in written for root in _PRIVATE)
        return _missing_field(error.target, key, is_private=is_private)
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, NOT_THERE):
        return _missing_on_path(written, frame)
    if isinstance(error, ArithmeticError):
        return "the result is too large a number"
    return "the data is nested too deeply, or holds what JSON cannot"


def _missing_on_path(written: str, frame: FrameType) -> str:
    """Walk the path that failed once more, to see where it ends; this computes nothing."""
    source = scan(written).source
    first, steps = unwind(source, ast.parse(source.code, FILENAME, "eval").body)
    names = frame.f_locals
    if not isinstance(first, ast.Name):
        return _UNKNOWN_READ
    variable, root = VARIABLE.format(first.id), ""
    if variable in names:
        value = names[variable]
    elif SCOPE in names and first.id in ROOTS:
        root = first.id
        value = getattr(names[SCOPE], root)
    else:
        return _UNKNOWN_READ
    for key, _ in steps:
        try:
            value = value[key]
        except NOT_THERE:
            return _missing_field(value, key, root, is_private=root in _PRIVATE)
        root = ""
    return _UNKNOWN_READ


def _missing_field(target: Any, key: Any, root: str = "", *, is_private: bool) -> str:
    """Why ``target[key]`` cannot be read. ``root`` is the name of the target, if it is a root.

    A ``key`` that is ``None`` stays unnamed; a private target does not tell its other names.
    """
    named = f" `{_shown(key)}`" if isinstance(key, str) else ""
    if isinstance(target, Mapping):
        sentence = _ABSENT.get(root, "the object has no field{}").format(named)
        sentence = sentence if named else "the object has no such field"
        return sentence if is_private else _not_in_object(target, key, sentence)
    if isinstance(target, (list, str)) and not isinstance(key, str):
        what = "list" if isinstance(target, list) else "text"
        return f"the index is out of range: the {what} has a length of {len(target)}"
    if target is None:
        return f"there is no field{named}, because what it is read from is null"
    advice = "; write `len(…)`" if key in _COUNTS and isinstance(target, (list, str)) else ""
    return f"{kind(target)} has no field{named}{advice}"


def _not_in_object(target: Mapping[str, Any], key: Any, sentence: str) -> str:
    if not target:
        return f"{sentence} (there is none)"
    names = ", ".join(map(_shown, islice(target, _MOST_NAMES)))
    more = ", …" if len(target) > _MOST_NAMES else ""
    near = nearest(key, target) if isinstance(key, str) else None
    question = f"; did you mean `{_shown(near)}`?" if near else ""
    return f"{sentence} (it has {names}{more}){question}"


def _shown(name: Any) -> str:
    """A name as a message shows it: short, and with nothing in it that could mislead."""
    text = _shortened(str(name), _LONGEST_NAME)
    return text if text.isprintable() else ascii(text)[1:-1]


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
