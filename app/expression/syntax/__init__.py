"""The language: each kind of syntax node that is part of it, and how it is translated."""

import ast

from app.expression.syntax import calls, displays, operators, reads
from app.expression.translator import Grammar

GRAMMAR: Grammar = {
    ast.Constant: displays.constant,
    ast.List: displays.list_display,
    ast.Dict: displays.object_display,
    ast.ListComp: displays.list_comprehension,
    ast.DictComp: displays.object_comprehension,
    ast.Name: reads.name,
    ast.Attribute: reads.path,
    ast.Subscript: reads.path,
    ast.BinOp: operators.binary,
    ast.UnaryOp: operators.unary,
    ast.BoolOp: operators.logical,
    ast.IfExp: operators.conditional,
    ast.Compare: operators.comparison,
    ast.Call: calls.call,
}
