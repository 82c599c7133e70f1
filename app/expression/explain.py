"""From a failed evaluation to a sentence that says which part of the source failed, and why.

Compiled code stands, line by line and column by column, where its source stands: one line for each
expression of a template. The traceback of an error therefore knows the place (PEP 657).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any

from app.expression.missing import may_be_private, missing_field, missing_name
from app.expression.runtime.faults import ExpressionError, Fault, Missing
from app.expression.runtime.reading import NOT_THERE
from app.expression.scanner import scan_whole
from app.expression.scope import ROOTS
from app.expression.source import Source
from app.expression.syntax.paths import unwind
from app.expression.syntax.reads import VARIABLE
from app.expression.translator import SCOPE

FILENAME = "<expression>"
"""The file that compiled code says it is from."""

FAULTS = (Fault, *NOT_THERE, ArithmeticError, ValueError, RecursionError)
"""What compiled code raises on purpose, or because of the data it meets."""

_LONGEST_SOURCE = 100
_UNKNOWN_READ = "a field or an item is missing"


def explain(error: BaseException, sources: Sequence[Source]) -> ExpressionError:
    """The error that an evaluation raises in place of ``error``."""
    frame, line, start, end = _place(error.__traceback__)
    written = sources[line - 1].text.encode()[start:end].decode(errors="replace")
    return ExpressionError(f"`{_shown(written)}`: {_reason(error, written, frame)}")


def _place(traceback: TracebackType | None) -> tuple[FrameType, int, int, int | None]:
    """The innermost frame of compiled code, with line, first and last byte of the failed part."""
    innermost = traceback
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME:
            innermost = traceback
        traceback = traceback.tb_next
    assert innermost is not None
    start, end = _columns(innermost.tb_frame.f_code, innermost.tb_lasti)
    return innermost.tb_frame, innermost.tb_lineno, start or 0, end


def _columns(code: CodeType, instruction: int) -> tuple[int | None, int | None]:
    """Columns of an instruction; ``None`` when Python was told to keep none."""
    place = next(islice(code.co_positions(), instruction // 2, None), None)
    return (place[2], place[3]) if place else (None, None)


def _shown(written: str) -> str:
    line = " ".join(written.split())
    return line if len(line) <= _LONGEST_SOURCE else f"{line[:_LONGEST_SOURCE]}…"


def _reason(error: BaseException, written: str, frame: FrameType) -> str:
    if isinstance(error, Missing):
        # A computed key is a value, which may be a secret; one that is written is not.
        key = error.key if str(error.key) in written else None
        return missing_field(error.target, key, is_private=may_be_private(written))
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, NOT_THERE):
        return _missing_on_path(written, frame)
    if isinstance(error, ArithmeticError):
        return "the result is too large a number"
    return "the data is nested too deeply, or holds what JSON cannot"


def _missing_on_path(written: str, frame: FrameType) -> str:
    """Walk the path that failed once more, to see where it ends; this computes nothing."""
    source = scan_whole(written).source
    first, steps = unwind(source, ast.parse(source.code, FILENAME, "eval").body)
    if not isinstance(first, ast.Name) or not _is_known(first.id, frame):
        return _UNKNOWN_READ
    value, is_root = _value(first.id, frame)
    for index, (key, _) in enumerate(steps):
        try:
            value = value[key]
        except NOT_THERE:
            if is_root and index == 0 and isinstance(key, str) and isinstance(value, Mapping):
                return missing_name(first.id, value, key)
            return missing_field(value, key)
    return _UNKNOWN_READ


def _is_known(name: str, frame: FrameType) -> bool:
    names = frame.f_locals
    return VARIABLE.format(name) in names or (SCOPE in names and name in ROOTS)


def _value(name: str, frame: FrameType) -> tuple[Any, bool]:
    """What a name stood for where the read failed, and whether it is a root."""
    names = frame.f_locals
    variable = VARIABLE.format(name)
    return (names[variable], False) if variable in names else (getattr(names[SCOPE], name), True)
