"""From source to something that can be evaluated. All mistakes of a value are reported at once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.expression.builder import ExpressionBuilder, Function, function
from app.expression.explain import FAULTS, explain
from app.expression.problem import ExpressionSyntaxError
from app.expression.read import Read
from app.expression.runtime.evaluation import Evaluation
from app.expression.scanner import scan_whole
from app.expression.scope import Scope
from app.expression.source import Source

_KEPT = 2_000
"""How many compiled texts are kept in case the same text comes again."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression or a template as one function. Safe to share between threads.

    ``evaluate`` raises only :class:`app.expression.ExpressionError`. A ``constant`` holds no
    expression and gives the same value each time, which nobody may change. ``source`` is the text
    that was compiled, empty when it was a list or an object.
    """

    evaluate: Callable[[Scope], Any]
    reads: tuple[Read, ...] = ()
    constant: bool = False
    source: str = ""


@lru_cache(_KEPT)
def compile_expression(source: str) -> Compiled:
    """Compile a bare expression, as ``if`` and ``when`` hold it.

    Raises:
        ExpressionSyntaxError: it is not in the language; all problems at once.
    """
    builder = ExpressionBuilder()
    body = builder.expression(scan_whole(source))
    return _compiled(builder, body, source, constant=isinstance(body, ast.Constant))


def compile_template(value: Any) -> Compiled:
    """Compile a JSON value whose texts may hold ``${expression}``; names of fields are literal.

    Raises:
        ExpressionSyntaxError: an expression is not in the language; all problems of the value.
    """
    if not _holds_marks(value):
        return Compiled(lambda _: value, constant=True, source=_source(value))
    return _compile_text(value) if isinstance(value, str) else _compile_value(value)


def _compile_value(value: Any) -> Compiled:
    builder = ExpressionBuilder()
    body = builder.value(value)
    return _compiled(builder, body, _source(value), constant=not builder.sources)


_compile_text = lru_cache(_KEPT)(_compile_value)


def _source(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _holds_marks(value: Any) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(map(_holds_marks, value)) or any(map(_holds_marks, value.values()))
    return isinstance(value, list) and any(map(_holds_marks, value))


def _compiled(
    builder: ExpressionBuilder, body: ast.expr, source: str, *, constant: bool
) -> Compiled:
    if builder.problems:
        raise ExpressionSyntaxError(builder.problems)
    wrap = _metered if builder.is_metered else _plain
    evaluate = wrap(function(body), tuple(builder.sources))
    return Compiled(evaluate, tuple(builder.reads), constant, source)


def _plain(function: Function, sources: Sequence[Source]) -> Callable[[Scope], Any]:
    """For expressions whose cost depends on their source alone."""

    def evaluate(scope: Scope) -> Any:
        try:
            return function(scope, None)
        except FAULTS as error:
            raise explain(error, sources, Evaluation(scope)) from None

    return evaluate


def _metered(function: Function, sources: Sequence[Source]) -> Callable[[Scope], Any]:
    """For expressions whose cost depends on data as well."""

    def evaluate(scope: Scope) -> Any:
        evaluation = Evaluation(scope)
        try:
            return function(scope, evaluation)
        except FAULTS as error:
            raise explain(error, sources, evaluation) from None

    return evaluate
