"""From a failed evaluation to a sentence that says which part of the source failed, and why.

Compiled code stands, line by line and column by column, where its source stands: one line for each
expression of a template. The traceback of an error therefore knows the place (PEP 657).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import islice
from types import CodeType, TracebackType
from typing import NamedTuple

from app.expression.missing import may_be_private, missing_field, missing_name
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import ExpressionError, Fault, Missing
from app.expression.runtime.reading import NOT_THERE
from app.expression.scanner import scan_whole
from app.expression.scope import ROOTS
from app.expression.source import Source
from app.expression.syntax.paths import unwind
from app.expression.syntax.reads import VARIABLE

FILENAME = "<expression>"
"""The file that compiled code says it is from."""

FAULTS = (Fault, *NOT_THERE, ArithmeticError, ValueError, RecursionError)
"""What compiled code raises on purpose, or because of the data it meets."""

_LONGEST_SOURCE = 100
_UNKNOWN_READ = "a field or an item is missing"


class _Place(NamedTuple):
    """Line, first and last byte of a part of the source; ``end`` is ``None`` if that is unknown."""

    line: int
    start: int
    end: int | None


def explain(
    error: BaseException, sources: Sequence[Source], evaluation: Evaluation
) -> ExpressionError:
    """The error that an evaluation raises in place of ``error``."""
    place = _place(error.__traceback__)
    line = sources[place.line - 1].text.encode()
    written = line[place.start : place.end].decode(errors="replace")
    return ExpressionError(f"`{_shown(written)}`: {_reason(error, written, place, evaluation)}")


def _place(traceback: TracebackType | None) -> _Place:
    """The part that failed, as the innermost frame of compiled code knows it."""
    innermost = traceback
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME:
            innermost = traceback
        traceback = traceback.tb_next
    assert innermost is not None
    start, end = _columns(innermost.tb_frame.f_code, innermost.tb_lasti)
    return _Place(innermost.tb_lineno, start or 0, end)


def _columns(code: CodeType, instruction: int) -> tuple[int | None, int | None]:
    """Columns of an instruction; ``None`` when Python was told to keep none."""
    place = next(islice(code.co_positions(), instruction // 2, None), None)
    return (place[2], place[3]) if place else (None, None)


def _shown(written: str) -> str:
    line = " ".join(written.split())
    return line if len(line) <= _LONGEST_SOURCE else f"{line[:_LONGEST_SOURCE]}…"


def _reason(error: BaseException, written: str, place: _Place, evaluation: Evaluation) -> str:
    if isinstance(error, Missing):
        # A computed key is a value, which may be a secret; one that is written is not.
        key = error.key if str(error.key) in written else None
        return missing_field(error.target, key, is_private=may_be_private(written))
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, NOT_THERE):
        return _missing_on_path(written, place, evaluation)
    if isinstance(error, ArithmeticError):
        return "the result is too large a number"
    return "the data is nested too deeply, or holds what JSON cannot"


def _missing_on_path(written: str, place: _Place, evaluation: Evaluation) -> str:
    """Walk the path that failed once more, to see where it ends; this computes nothing."""
    source = scan_whole(written).source
    first, steps = unwind(source, ast.parse(source.code, FILENAME, "eval").body)
    if not isinstance(first, ast.Name):
        return _UNKNOWN_READ
    found = evaluation.variable(VARIABLE.format(first.id), place.line, place.start)
    if not found and first.id not in ROOTS:
        return _UNKNOWN_READ
    value = found[0] if found else getattr(evaluation.scope, first.id)
    for index, (key, _) in enumerate(steps):
        try:
            value = value[key]
        except NOT_THERE:
            if not found and index == 0 and isinstance(key, str) and isinstance(value, Mapping):
                return missing_name(first.id, value, key)
            return missing_field(value, key)
    return _UNKNOWN_READ
