"""From source to a function: scan, parse, translate, and let Python compile the result once."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.expression.explain import FAULTS, FILENAME, explain
from app.expression.grammar import GRAMMAR
from app.expression.problem import ExpressionSyntaxError, Problem, TemplatePath
from app.expression.read import Read
from app.expression.registry import FUNCTIONS
from app.expression.runtime import arithmetic, building, comparison, reading, sizes, values
from app.expression.runtime.evaluation import Evaluation
from app.expression.scanner import Scan, scan_whole
from app.expression.scope import Scope
from app.expression.source import Source
from app.expression.template import Part, parts
from app.expression.parser import parse
from app.expression.syntax.calls import HELPER
from app.expression.translator import EVALUATION, SCOPE, Translator

_KEPT = 2_000
"""How many compiled sources are kept, in case the same source comes again."""

Evaluate = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression or a template as one function. Safe to share between threads.

    ``evaluate`` raises only :class:`ExpressionError`. A ``constant`` one gives the same value
    always, the very object it was compiled from.
    """

    evaluate: Evaluate
    reads: tuple[Read, ...] = ()
    constant: bool = False
