"""Literals, and the displays of lists and objects."""

from __future__ import annotations

import ast
import math
from typing import Any

from app.expression.limits import MAX_INTEGER
from app.expression.translator import Translator


def constant(translator: Translator, node: ast.Constant) -> ast.expr:
    """``12``, ``1.5``, ``"text"``: values that JSON can hold."""
    value = node.value
    if type(value) is str:
        if not value.isascii() and not _is_text(value):
            message = "half of a character (\\ud800–\\udfff) is not text"
            return translator.problem(node, "syntax", message, "write the character itself")
        return translator.keep(node)
    if type(value) is int or type(value) is float:
        return number(translator, node, value)
    return translator.refuse(node)


def number(translator: Translator, node: ast.expr, value: Any) -> ast.expr:
    """A number, written or negated at load."""
    if value > MAX_INTEGER if type(value) is int else not math.isfinite(value):
        return translator.problem(node, "too-large", "the number is too large")
    return translator.constant(value, node)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def list_display(translator: Translator, node: ast.List) -> ast.expr:
    """``[a, b]``."""
    node.elts = [translator.translate(item) for item in node.elts]
    return translator.keep(node)


def object_display(translator: Translator, node: ast.Dict) -> ast.expr:
    """``{"a": b}``."""
    seen: set[str] = set()
    keys: list[ast.expr | None] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            hint = "name each field"
            return translator.problem(
                value, "not-allowed", "`**` is not part of the language", hint
            )
        keys.append(_key(translator, key, seen))
    node.keys = keys
    node.values = [translator.translate(value) for value in node.values]
    return translator.keep(node)


def _key(translator: Translator, key: ast.expr, seen: set[str]) -> ast.expr:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        if key.value in seen:
            message = f'the field "{key.value[:40]}" stands twice'
            translator.problem(key, "duplicate-key", message)
        seen.add(key.value)
        return translator.translate(key)
    if isinstance(key, ast.Name) and not translator.knows(key.id):
        message = f"there is no name `{key.id[:40]}`"
        return translator.problem(key, "unknown-root", message, f'write `"{key.id[:40]}"`')
    return computed_key(translator, key)


def computed_key(translator: Translator, key: ast.expr) -> ast.expr:
    """The name of a field that an expression gives."""
    return translator.call("field_name", [translator.translate(key)], key)
