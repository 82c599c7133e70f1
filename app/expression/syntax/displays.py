"""Literals, lists and objects, also with ``for`` in them."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from typing import Any

from app.expression.functions.reading import field_name, rounds
from app.expression.limits import MAX_INTEGER, WORK_PER_CALL, Loop
from app.expression.translator import LITERAL_NAMES, VARIABLE, Translator

_SURROGATE = re.compile("[\\ud800-\\udfff]")


def constant(translator: Translator, node: ast.Constant) -> ast.expr:
    """``12``, ``1.5``, ``"text"``: values that JSON can hold."""
    value = node.value
    if type(value) is str:
        if _SURROGATE.search(value):
            message = "half of a character (\\ud800–\\udfff) is not text"
            return translator.report(node, "syntax", message, "write the character itself")
        return translator.keep(node)
    if type(value) is int or type(value) is float:
        return number(translator, node, value)
    return translator.refuse(node)


def number(translator: Translator, node: ast.expr, value: Any) -> ast.expr:
    """A number, written or negated at load."""
    if value > MAX_INTEGER if type(value) is int else not math.isfinite(value):
        return translator.report(node, "too-large", "the number is too large")
    return translator.constant(value, node)


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
            message = "`**` is not part of the language"
            return translator.report(value, "not-allowed", message, "name each field")
        keys.append(_key(translator, key, seen))
    node.keys = keys
    node.values = [translator.translate(value) for value in node.values]
    return translator.keep(node)


def _key(translator: Translator, key: ast.expr, seen: set[str]) -> ast.expr:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        if key.value in seen:
            message = f'there are two fields "{key.value[:40]}"'
            translator.report(key, "duplicate-key", message)
        seen.add(key.value)
        return translator.translate(key)
    if isinstance(key, ast.Name) and not translator.knows(key.id):
        message = f"there is no name `{key.id[:40]}`"
        return translator.report(key, "unknown-root", message, f'write `"{key.id[:40]}"`')
    return _computed_key(translator, key)


def _computed_key(translator: Translator, key: ast.expr) -> ast.expr:
    return translator.call(field_name, [translator.translate(key)], key)


def list_comprehension(translator: Translator, node: ast.ListComp | ast.GeneratorExp) -> ast.expr:
    """``[a for x in list if b]``; without brackets where it is a function's only argument."""

    def body() -> ast.expr:
        return ast.ListComp(translator.translate(node.elt), node.generators)

    return _comprehension(translator, node, node.generators, body)


def object_comprehension(translator: Translator, node: ast.DictComp) -> ast.expr:
    """``{a: b for x in list}``; of equal names the last one stays."""

    def body() -> ast.expr:
        key = _computed_key(translator, node.key)
        return ast.DictComp(key, translator.translate(node.value), node.generators)

    return _comprehension(translator, node, node.generators, body)


def _comprehension(
    translator: Translator,
    node: ast.expr,
    generators: list[ast.comprehension],
    body: Callable[[], ast.expr],
) -> ast.expr:
    """Each round of each ``for`` pays for all parts of the comprehension."""
    translator.can_repeat = True
    names, before = translator.names, translator.cost
    for generator in generators:
        _generator(translator, generator)
    result = body()
    cost = WORK_PER_CALL + translator.cost - before
    for generator in generators:
        items, loop = generator.iter, _loop(node, generators[0], generator)
        constants = (translator.constant(each, items) for each in (cost, loop))
        generator.iter = translator.metered(rounds, [items, *constants], items)
    translator.names = names
    return translator.placed(result, node)


def _generator(translator: Translator, generator: ast.comprehension) -> None:
    """Translate in reading order: a variable is known after its own ``for``."""
    generator.iter = translator.translate(generator.iter)
    generator.target = _target(translator, generator.target)
    generator.ifs = [translator.translate(test) for test in generator.ifs]
    if generator.is_async:
        translator.report(generator.target, "not-allowed", "`async` has no meaning here")


def _loop(node: ast.expr, first: ast.comprehension, generator: ast.comprehension) -> Loop:
    """The place where a translated ``for`` makes its variable known."""
    start, end = node.col_offset, node.end_col_offset or 0
    name, resume = getattr(generator.target, "id", ""), generator.iter.end_col_offset or 0
    return name, generator.iter.lineno, start, resume, first.target.col_offset, end


def _target(translator: Translator, target: ast.expr) -> ast.expr:
    if not isinstance(target, ast.Name):
        translator.names |= {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
        message = "`for` takes one variable"
        return translator.report(target, "not-allowed", message, "write `x[0]`, `x[1]` for parts")
    if target.id in LITERAL_NAMES:
        return translator.report(target, "not-allowed", f"`{target.id}` is not a variable")
    translator.names |= {target.id}
    target.id = VARIABLE.format(target.id)
    return translator.keep(target)
