"""The expression language of flows: Python's expressions, cut down to JSON values.

``compile_expression`` and ``compile_template`` compile at load; ``Compiled.evaluate`` runs.
"""

from app.expression.compiler import Compiled, compile_expression, compile_template
from app.expression.function import Function
from app.expression.problem import ExpressionSyntaxError, Issue
from app.expression.read import Read
from app.expression.registry import FUNCTIONS
from app.expression.runtime.faults import ExpressionError
from app.expression.scope import ROOTS, Scope
from app.expression.template import find_braces, split_template

__all__ = [
    "FUNCTIONS",
    "ROOTS",
    "Compiled",
    "ExpressionError",
    "ExpressionSyntaxError",
    "Function",
    "Issue",
    "Read",
    "Scope",
    "compile_expression",
    "compile_template",
    "find_braces",
    "split_template",
]
