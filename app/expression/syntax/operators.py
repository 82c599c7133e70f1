"""Arithmetic, ``and or not``, and ``a if c else b``."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from app.expression.syntax.literals import number
from app.expression.translator import Translator

BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
    ast.Pow: "power",
}
UNARY: Mapping[type[ast.unaryop], str] = {ast.USub: "negative", ast.UAdd: "positive"}


def binary(translator: Translator, node: ast.BinOp) -> ast.expr:
    """``a + b``."""
    helper = BINARY.get(type(node.op))
    if helper is None:
        return translator.refuse(node)
    translator.can_repeat |= helper == "multiply"
    left, right = translator.translate(node.left), translator.translate(node.right)
    if helper == "add" and _is_text_and_number(left, right):
        message = "text and a number cannot be added"
        number_text = translator.source.written(_number_of(node))
        return translator.problem(node, "wrong-operator", message, f"write `str({number_text})`")
    return translator.metered(helper, [left, right], node)


def _is_text_and_number(left: ast.expr, right: ast.expr) -> bool:
    kinds = {type(side.value) for side in (left, right) if isinstance(side, ast.Constant)}
    return kinds in ({str, int}, {str, float})


def _number_of(node: ast.BinOp) -> ast.expr:
    is_text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
    return node.right if is_text else node.left


def unary(translator: Translator, node: ast.UnaryOp) -> ast.expr:
    """``-a`` and ``not a``."""
    if isinstance(node.op, ast.Not):
        node.operand = translator.translate(node.operand)
        return translator.keep(node)
    helper = UNARY.get(type(node.op))
    if helper is None:
        return translator.refuse(node)
    operand = translator.translate(node.operand)
    if helper == "negative" and isinstance(operand, ast.Constant):
        value = operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return number(translator, node, -value)
    return translator.call(helper, [operand], node)


def logical(translator: Translator, node: ast.BoolOp) -> ast.expr:
    """``a and b``, ``a or b``."""
    node.values = [translator.translate(value) for value in node.values]
    return translator.keep(node)


def conditional(translator: Translator, node: ast.IfExp) -> ast.expr:
    """``a if c else b``."""
    node.test = translator.translate(node.test)
    node.body = translator.translate(node.body)
    node.orelse = translator.translate(node.orelse)
    return translator.keep(node)
