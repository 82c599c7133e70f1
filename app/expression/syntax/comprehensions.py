"""``[a for x in list if b]`` and ``{a: b for x in list}``."""

from __future__ import annotations

import ast
from collections.abc import Callable

from app.expression.limits import WORK_PER_ROUND
from app.expression.runtime.evaluation import Loop
from app.expression.syntax.literals import computed_key
from app.expression.syntax.reads import VARIABLE
from app.expression.translator import LITERAL_NAMES, Translator


def list_comprehension(translator: Translator, node: ast.ListComp | ast.GeneratorExp) -> ast.expr:
    """A list; what ``for`` gives to a function as its only argument is a list too."""

    def body() -> ast.expr:
        return ast.ListComp(translator.translate(node.elt), node.generators)

    return _comprehension(translator, node, node.generators, body)


def object_comprehension(translator: Translator, node: ast.DictComp) -> ast.expr:
    """An object; of equal names the last one stays."""

    def body() -> ast.expr:
        key = computed_key(translator, node.key)
        return ast.DictComp(key, translator.translate(node.value), node.generators)

    return _comprehension(translator, node, node.generators, body)


def _comprehension(
    translator: Translator,
    node: ast.expr,
    generators: list[ast.comprehension],
    body: Callable[[], ast.expr],
) -> ast.expr:
    """Each round of each ``for`` pays for everything the comprehension says."""
    translator.can_repeat = True
    outside, before = translator.names, translator.cost
    for generator in generators:
        _generator(translator, generator)
    result = body()
    cost = WORK_PER_ROUND + translator.cost - before
    for generator in generators:
        items, loop = generator.iter, _loop(node, generators[0], generator)
        constants = (translator.constant(each, items) for each in (cost, loop))
        generator.iter = translator.metered("rounds", [items, *constants], items)
    translator.names = outside
    return translator.keep(ast.copy_location(result, node))


def _generator(translator: Translator, generator: ast.comprehension) -> None:
    """Translate in reading order: a variable is known behind its own ``for``."""
    generator.iter = translator.translate(generator.iter)
    generator.target = _target(translator, generator.target)
    generator.ifs = [translator.translate(test) for test in generator.ifs]
    if generator.is_async:
        translator.problem(generator.target, "not-allowed", "`async` has no meaning here")


def _loop(node: ast.expr, first: ast.comprehension, generator: ast.comprehension) -> Loop:
    """Where a translated ``for`` makes its variable known."""
    start, end = node.col_offset, node.end_col_offset or 0
    name, resume = getattr(generator.target, "id", ""), generator.iter.end_col_offset or 0
    return name, generator.iter.lineno, start, resume, first.target.col_offset, end


def _target(translator: Translator, target: ast.expr) -> ast.expr:
    if not isinstance(target, ast.Name):
        translator.names |= {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
        message = "one variable stands behind `for`"
        return translator.problem(target, "not-allowed", message, "write `x[0]`, `x[1]` for parts")
    if target.id in LITERAL_NAMES:
        return translator.problem(target, "not-allowed", f"`{target.id}` is not a variable")
    translator.names |= {target.id}
    target.id = VARIABLE.format(target.id)
    return translator.keep(target)
