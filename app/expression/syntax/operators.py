"""``+ - * / // % **``, ``== != < <= > >= in``, ``and or not``, and ``a if c else b``."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from app.expression.functions import operators
from app.expression.syntax.displays import number
from app.expression.translator import Helper, Translator

HELPERS: Mapping[type[ast.AST], Helper] = {
    ast.Add: operators.add,
    ast.Sub: operators.subtract,
    ast.Mult: operators.multiply,
    ast.Div: operators.divide,
    ast.FloorDiv: operators.floor_divide,
    ast.Mod: operators.modulo,
    ast.Pow: operators.power,
    ast.USub: operators.negative,
    ast.UAdd: operators.positive,
    ast.Eq: operators.equal,
    ast.NotEq: operators.not_equal,
    ast.Lt: operators.less,
    ast.LtE: operators.less_equal,
    ast.Gt: operators.greater,
    ast.GtE: operators.greater_equal,
    ast.In: operators.contains,
    ast.NotIn: operators.lacks,
}
"""By operator. All other operators of Python are signs or words that the scanner reports."""


def binary(translator: Translator, node: ast.BinOp) -> ast.expr:
    """``a + b``."""
    translator.can_repeat |= isinstance(node.op, ast.Mult)
    left, right = translator.translate(node.left), translator.translate(node.right)
    if isinstance(node.op, ast.Add) and _is_text_and_number(left, right):
        message = "text and a number cannot be added"
        hint = f"write `str({translator.source.written(_number_of(node))})`"
        return translator.report(node, "wrong-operator", message, hint)
    return translator.metered(HELPERS[type(node.op)], [left, right], node)


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
    operand = translator.translate(node.operand)
    if isinstance(node.op, ast.USub) and isinstance(operand, ast.Constant):
        value = operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return number(translator, node, -value)
    return translator.call(HELPERS[type(node.op)], [operand], node)


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


def comparison(translator: Translator, node: ast.Compare) -> ast.expr:
    """``a < b``, and chains: ``a < b <= c`` reads ``b`` once."""
    first = translator.translate(node.left)
    rest = [translator.translate(operand) for operand in node.comparators]
    return _chain(translator, first, list(zip(node.ops, rest, strict=True)), node)


def _chain(
    translator: Translator,
    first: ast.expr,
    rest: Sequence[tuple[ast.cmpop, ast.expr]],
    at: ast.expr,
) -> ast.expr:
    """``a < b <= c`` as ``(lambda left, right: left < right and right <= c)(a, b)``."""
    sign, second = rest[0]
    if len(rest) == 1:
        return _pair(translator, first, sign, second, at)
    left, right = translator.name("left", at), translator.name("right", at)
    here = _pair(translator, left, sign, right, at)
    there = _chain(translator, right, rest[1:], at)
    both = translator.placed(ast.BoolOp(ast.And(), [here, there]), at)
    chain = translator.function(("left", "right"), both, at)
    return translator.placed(ast.Call(chain, [first, second], []), at)


def _pair(
    translator: Translator, left: ast.expr, sign: ast.cmpop, right: ast.expr, at: ast.expr
) -> ast.expr:
    """One comparison: Python's own where it means the same and is faster, else a helper."""
    if isinstance(left, ast.Constant) and isinstance(sign, ast.Eq | ast.NotEq):
        left, right = right, left
    own = None if isinstance(left, ast.Constant) else _own_operator(sign, right)
    if own is None:
        return translator.metered(HELPERS[type(sign)], [left, right], at)
    if isinstance(right, ast.List):
        # Python makes a tuple of literals once, not each time.
        right = translator.placed(ast.Tuple(right.elts, ast.Load()), right)
    return translator.placed(ast.Compare(left, [own], [right]), at)


def _own_operator(sign: ast.cmpop, right: ast.expr) -> ast.cmpop | None:
    """Python's operator that means what ``sign`` means with ``right``; only next to literals."""
    if isinstance(sign, ast.In | ast.NotIn):
        is_plain = isinstance(right, ast.List) and all(map(_equals_alike, right.elts))
        return sign if is_plain else None
    if not isinstance(sign, ast.Eq | ast.NotEq) or not isinstance(right, ast.Constant):
        return None
    if right.value is None or isinstance(right.value, bool):
        return ast.Is() if isinstance(sign, ast.Eq) else ast.IsNot()
    return sign if _equals_alike(right) else None


def _equals_alike(literal: ast.expr) -> bool:
    """Whether ``==`` with this node, a literal, means the same to Python and to JSON.

    It does not for booleans, nor for 0 and 1, which Python takes for booleans.
    """
    return isinstance(literal, ast.Constant) and literal.value not in (0, 1)
