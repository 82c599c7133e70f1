"""``== != < <= > >= in``, also chained: ``0 < a <= 10`` reads ``a`` once."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

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
    if isinstance(left, ast.Constant) and isinstance(sign, ast.Eq | ast.NotEq):
        left, right = right, left
    own = None if isinstance(left, ast.Constant) else _own_operator(sign, right)
    if own is None:
        return translator.metered(HELPERS[type(sign)], [left, right], at)
    if isinstance(right, ast.List):
        # Python makes a tuple of literals once, not each time.
        right = ast.copy_location(ast.Tuple(right.elts, ast.Load()), right)
    return translator.compare(left, own, right, at)


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
