"""A path: a name, followed by ``.field``, ``["field"]`` and ``[0]``, seen as a whole."""

from __future__ import annotations

import ast
from typing import NamedTuple

from app.expression.source import Source


class PathPart(NamedTuple):
    """One step of a path: the key, and the node that reads it."""

    key: str | int
    node: ast.expr


def unwind(source: Source, node: ast.expr) -> tuple[ast.expr, list[PathPart]]:
    """Where a path begins, and its steps in reading order; ``(node, [])`` if it is none."""
    steps: list[PathPart] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            key: str | int | None = source.field(node)
        else:
            key = _literal(node.slice)
        if key is None:
            break
        steps.append(PathPart(key, node))
        node = node.value
    steps.reverse()
    return node, steps


def _literal(node: ast.expr) -> str | int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        key = _literal(node.operand)
        return -key if isinstance(key, int) else None
    if isinstance(node, ast.Constant) and type(node.value) in (str, int):
        return node.value  # type: ignore[return-value]
    return None
