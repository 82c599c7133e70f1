"""Names, fields, indexes and slices.

``a.b`` is always the field ``b`` of the object ``a``. A path of literal keys becomes plain
subscripts, the fastest read Python has; ``explain.py`` finds out afterwards what was missing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from app.expression.errors import Issue
from app.expression.functions import FUNCTIONS
from app.expression.functions.reading import item, part
from app.expression.hints import NAMES, nearest
from app.expression.limits import MAX_NESTING
from app.expression.scanner import Source
from app.expression.scope import ROOTS, Read
from app.expression.translator import LITERAL_NAMES, SCOPE, VARIABLE, Translator

_DASHED_FIELD = re.compile(r"\.(\w+(?:-\w+)+)\Z")


class PathPart(NamedTuple):
    """One step of a path: the key, and the node that reads it."""

    key: str | int
    node: ast.expr


def unwind(source: Source, node: ast.expr) -> tuple[ast.expr, list[PathPart]]:
    """The node a path of literal keys begins with, and its steps; ``(node, [])`` if it is none."""
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


def path(translator: Translator, node: ast.Attribute | ast.Subscript) -> ast.expr:
    """``name.field``, ``name["field"][0]``, or a field or item of anything else."""
    first, steps = unwind(translator.source, node)
    if isinstance(node, ast.Subscript) and first is node:
        return _computed(translator, node)
    levels = len(steps) - 1
    translator.depth += levels
    translator.cost += levels
    if translator.depth > MAX_NESTING:
        result = translator.too_deep(node)
    elif isinstance(first, ast.Name) and first.id not in LITERAL_NAMES:
        result = _read_quickly(translator, first, steps)
    else:
        result = _read_carefully(translator, first, steps)
    translator.depth -= levels
    return result


def _read_quickly(translator: Translator, first: ast.Name, steps: Sequence[PathPart]) -> ast.expr:
    result = name(translator, first, steps)
    for key, node in steps:
        subscript = ast.Subscript(result, translator.constant(key, node), ast.Load())
        result = translator.placed(subscript, node)
    return result


def _read_carefully(translator: Translator, first: ast.expr, steps: Sequence[PathPart]) -> ast.expr:
    """The target is computed, so it cannot be looked at again when something is missing."""
    result = translator.translate(first)
    for key, node in steps:
        result = translator.call(item, [result, translator.constant(key, node)], node)
    return result


def _computed(translator: Translator, node: ast.Subscript) -> ast.expr:
    """``a[expression]`` or ``a[b:c]``."""
    target = translator.translate(node.value)
    if not isinstance(node.slice, ast.Slice):
        return translator.call(item, [target, translator.translate(node.slice)], node)
    bounds = [
        translator.constant(None, node) if bound is None else translator.translate(bound)
        for bound in (node.slice.lower, node.slice.upper, node.slice.step)
    ]
    return translator.metered(part, [target, *bounds], node)


def name(translator: Translator, node: ast.Name, steps: Sequence[PathPart] = ()) -> ast.expr:
    """A variable, ``true false null``, or a root, whose read is noted with its steps."""
    word = node.id
    if word in translator.names:
        return translator.name(VARIABLE.format(word), node)
    if word in LITERAL_NAMES:
        return translator.constant(LITERAL_NAMES[word], node)
    if word in ROOTS:
        translator.reads.append(_read(translator, node, steps))
        scope = translator.name(SCOPE, node)
        return translator.placed(ast.Attribute(scope, word, ast.Load()), node)
    translator.issues.append(_unknown(translator, node))
    return node


def _read(translator: Translator, root: ast.Name, steps: Sequence[PathPart]) -> Read:
    source = translator.source
    fields = list(takewhile(lambda step: isinstance(step.key, str), steps))
    path = (root.id, *(str(field.key) for field in fields))
    start, end = source.span(root)[0], source.span(fields[-1].node if fields else root)[1]
    return Read(path, source.offset + start, end - start, source.path, translator.is_safe)


def _unknown(translator: Translator, node: ast.Name) -> Issue:
    word, source = node.id, translator.source
    if word in FUNCTIONS:
        message = f"`{word}` is a function"
        return source.issue(node, "unknown-root", message, f"call it: `{word}(…)`")
    message = f"there is no name `{word[:40]}`"
    return source.issue(node, "unknown-root", message, _unknown_hint(translator, node))


def _unknown_hint(translator: Translator, node: ast.Name) -> str:
    word, source = node.id[:40], translator.source
    dashed = _DASHED_FIELD.search(source.text, 0, source.span(node)[1])
    if dashed:
        return f'write `["{dashed[1]}"]` instead of `{dashed[0]}`'
    near = NAMES.get(word) or nearest(word, (*translator.names, *ROOTS, *LITERAL_NAMES))
    if near:
        return f"write `{near}`"
    return f'write `inputs.{word}`, `steps.{word}` or `vars.{word}`, or `"{word}"` for a text'
