"""From a failed evaluation to a sentence that says which part of the source failed, and why.

Compiled code has the columns of its source, and one line for each expression of a template. So the
traceback of an error tells the place (PEP 657). The sentences name fields, never values.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import islice
from operator import length_hint
from types import TracebackType
from typing import Any

from app.expression.errors import ExpressionError, Fault, Missing
from app.expression.functions.reading import NOT_THERE
from app.expression.hints import nearest
from app.expression.limits import Evaluation, Loop
from app.expression.scanner import FILENAME, Source, scan
from app.expression.scope import ROOTS
from app.expression.syntax.reads import unwind
from app.expression.translator import VARIABLE
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


def explain(
    error: BaseException, sources: Sequence[Source], evaluation: Evaluation
) -> ExpressionError:
    """The error that an evaluation raises in place of ``error``."""
    line, start, end = _place(error.__traceback__)
    written = sources[line - 1].text.encode()[start:end].decode(errors="replace")
    shown = _shortened(" ".join(written.split()), _LONGEST_SOURCE)
    if isinstance(error, NOT_THERE):
        reason = _missing_on_path(written, line, start, evaluation)
    else:
        reason = _reason(error, written)
    return ExpressionError(f"`{shown}`: {reason}")


def _place(traceback: TracebackType | None) -> tuple[int, int, int | None]:
    """Line, first and last byte of the part that failed, from the innermost frame of our code.

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
    return innermost.tb_lineno, start or 0, end


def _reason(error: BaseException, written: str) -> str:
    if isinstance(error, Missing):
        # A computed key is a value, which may be a secret; one that is written is not.
        key = error.key if str(error.key) in written else None
        is_private = any(root in written for root in _PRIVATE)
        return _missing_field(error.target, key, is_private=is_private)
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, ArithmeticError):
        return "the result is too large a number"
    return "the data is nested too deeply, or holds what JSON cannot"


def _missing_on_path(written: str, line: int, column: int, evaluation: Evaluation) -> str:
    """Walk the path that failed once more, to see where it ends; this computes nothing."""
    source = scan(written).source
    first, steps = unwind(source, ast.parse(source.code, FILENAME, "eval").body)
    if not isinstance(first, ast.Name):
        return _UNKNOWN_READ
    variable = _variable(VARIABLE.format(first.id), line, column, evaluation)
    if not variable and first.id not in ROOTS:
        return _UNKNOWN_READ
    root = "" if variable else first.id
    value = variable[0] if variable else getattr(evaluation.scope, root)
    for key, _ in steps:
        try:
            value = value[key]
        except NOT_THERE:
            return _missing_field(value, key, root, is_private=root in _PRIVATE)
        root = ""
    return _UNKNOWN_READ


def _variable(name: str, line: int, column: int, evaluation: Evaluation) -> tuple[Any, ...]:
    """The value of a variable at the place where evaluating stopped; empty if it is none there.

    The frame of the compiled code cannot tell: from Python 3.12 on, it forgets the variables of a
    comprehension that an error leaves.
    """
    loops = [loop for loop in evaluation.loops if _knows(loop, name, line, column)]
    if not loops:
        return ()
    items, rounds = evaluation.loops[max(loops)]  # the innermost: the one that begins last
    return (items[-1 - length_hint(rounds)],)


def _knows(loop: Loop, name: str, line: int, column: int) -> bool:
    a, b, c, d = loop[2:]
    return loop[:2] == (name, line) and (a <= column < c or b <= column < d)


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
