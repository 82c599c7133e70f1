"""The expression language of flows: Python's expressions, cut down to JSON values.

``compile_expression`` and ``compile_template`` compile at load; ``Compiled.evaluate`` runs.
"""

from app.expression.compiler import Compiled, compile_expression, compile_template
from app.expression.errors import ExpressionError, ExpressionSyntaxError, Issue
from app.expression.scope import ROOTS, Read, Scope
from app.expression.template import find_braces, split_template

__all__ = [
    "ROOTS",
    "Compiled",
    "ExpressionError",
    "ExpressionSyntaxError",
    "Issue",
    "Read",
    "Scope",
    "compile_expression",
    "compile_template",
    "find_braces",
    "split_template",
]
