"""``== != < <= > >= in``, also chained: ``0 < a <= 10`` reads ``a`` once."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from app.expression.translator import Translator

HELPERS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.In: "contains",
    ast.NotIn: "lacks",
}


def comparison(translator: Translator, node: ast.Compare) -> ast.expr:
    """``a < b``, ``a < b <= c``."""
    if any(type(sign) not in HELPERS for sign in node.ops):
        hint = "write `==`"
        return translator.problem(node, "wrong-operator", "`is` is not an operator here", hint)
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
    both = translator.keep(ast.copy_location(ast.BoolOp(ast.And(), [here, there]), at))
    chain = translator.function(("left", "right"), both, at)
    called = ast.Call(chain, [first, second], [])
    return translator.keep(ast.copy_location(called, at))


def _pair(
    translator: Translator, left: ast.expr, sign: ast.cmpop, right: ast.expr, at: ast.expr
) -> ast.expr:
    """One comparison: Python's own where it means the same, else a helper."""
    if isinstance(sign, ast.Eq | ast.NotEq):
        for literal, other in ((right, left), (left, right)):
            if isinstance(literal, ast.Constant) and not isinstance(other, ast.Constant):
                if literal.value is None or type(literal.value) is bool:
                    identity = ast.Is() if isinstance(sign, ast.Eq) else ast.IsNot()
                    return translator.compare(other, identity, literal, at)
                if _equals_alike(literal):
                    return translator.compare(left, sign, right, at)
    if isinstance(sign, ast.In | ast.NotIn) and _is_list_of_literals(right):
        return translator.compare(left, sign, _tuple(right), at)
    return translator.metered(HELPERS[type(sign)], [left, right], at)


def _equals_alike(literal: ast.expr) -> bool:
    """Whether ``==`` with this literal means the same to Python and to JSON.

    It does not for 0 and 1, which Python takes for false and true.
    """
    return isinstance(literal, ast.Constant) and _is_unlike_bool(literal.value)


def _is_unlike_bool(value: Any) -> bool:
    return type(value) is not bool and value not in (0, 1)


def _is_list_of_literals(node: ast.expr) -> bool:
    return isinstance(node, ast.List) and all(map(_equals_alike, node.elts))


def _tuple(node: ast.expr) -> ast.expr:
    """A list of literals as a tuple, which Python makes only once."""
    elements = node.elts if isinstance(node, ast.List) else []
    return ast.copy_location(ast.Tuple(elements, ast.Load()), node)
