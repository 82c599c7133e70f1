"""The language: each kind of syntax node that is part of it, and how it is translated."""

from __future__ import annotations

import ast

from app.expression.syntax import calls, comparisons, comprehensions, literals, operators, reads
from app.expression.translator import Grammar

GRAMMAR: Grammar = {
    ast.Constant: literals.constant,
    ast.List: literals.list_display,
    ast.Dict: literals.object_display,
    ast.Name: reads.name,
    ast.Attribute: reads.path,
    ast.Subscript: reads.path,
    ast.BinOp: operators.binary,
    ast.UnaryOp: operators.unary,
    ast.BoolOp: operators.logical,
    ast.IfExp: operators.conditional,
    ast.Compare: comparisons.comparison,
    ast.ListComp: comprehensions.list_comprehension,
    ast.DictComp: comprehensions.object_comprehension,
    ast.Call: calls.call,
}
