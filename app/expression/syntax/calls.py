"""Calls of the listed functions, and what to write instead of all other calls."""

from __future__ import annotations

import ast

from app.expression.limits import WORK_PER_CALL
from app.expression.registry import ARITIES, FUNCTIONS
from app.expression.suggestions import closest
from app.expression.syntax.comprehensions import list_comprehension
from app.expression.translator import Translator
from app.expression.traps import FUNCTION_NAMES, METHODS_AS_OPERATORS

HELPER = "f_{}"
"""The Python name of a function of ours."""


def call(translator: Translator, node: ast.Call) -> ast.expr:
    """``name(a, b)``."""
    if isinstance(node.func, ast.Attribute):
        return _method(translator, node, node.func)
    if not isinstance(node.func, ast.Name):
        return translator.problem(node, "not-allowed", "only a function by its name can be called")
    if node.func.id not in FUNCTIONS:
        return _unknown(translator, node, node.func)
    translator.cost += WORK_PER_CALL
    arguments = _arguments(translator, node, node.func.id)
    return translator.metered(HELPER.format(node.func.id), arguments, node)


def _arguments(translator: Translator, node: ast.Call, name: str) -> list[ast.expr]:
    _check_arguments(translator, node, name)
    if FUNCTIONS[name].lazy:
        return _lazy_arguments(translator, node)
    if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
        return [list_comprehension(translator, node.args[0])]
    return [translator.translate(argument) for argument in node.args]


def _lazy_arguments(translator: Translator, node: ast.Call) -> list[ast.expr]:
    """Arguments as functions; reading what is missing is safe in the first."""
    arguments, outside = [], translator.is_safe
    for index, argument in enumerate(node.args):
        translator.is_safe = outside or index == 0
        arguments.append(translator.function((), translator.translate(argument), argument))
    translator.is_safe = outside
    return arguments


def _check_arguments(translator: Translator, node: ast.Call, name: str) -> None:
    signature = FUNCTIONS[name].signature
    least, most = ARITIES[name]
    if node.keywords:
        message = f"the arguments of {name} have no names"
        translator.problem(node, "bad-arguments", message, f"write `{signature}`")
    elif not least <= len(node.args) <= (len(node.args) if most is None else most):
        message = f"{name} takes {_count(least, most)}, not {len(node.args)}"
        translator.problem(node, "bad-arguments", message, f"write `{signature}`")


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} argument{'s' * (least != 1)}"
    number = str(most) if least == most else f"{least} or {most}"
    return f"{number} argument{'s' * (most != 1)}"


def _unknown(translator: Translator, node: ast.Call, function: ast.Name) -> ast.expr:
    for argument in node.args:
        translator.translate(argument)
    near = FUNCTION_NAMES.get(_folded(function.id)) or closest(function.id, FUNCTIONS)
    hint = f"write `{FUNCTIONS[near].signature}`" if near else None
    message = f"there is no function `{function.id[:40]}`"
    return translator.problem(function, "unknown-function", message, hint)


def _method(translator: Translator, node: ast.Call, method: ast.Attribute) -> ast.expr:
    """``x.upper()``: say how it is written here, in the author's own words."""
    for part in (method.value, *node.args):
        translator.translate(part)
    name, written = method.attr, translator.source.written
    target, arguments = written(method.value), [written(argument) for argument in node.args]
    message = f"a value has no methods: `{name[:40]}` cannot be called"
    return translator.problem(node, "not-allowed", message, _method_hint(name, target, arguments))


def _method_hint(name: str, target: str, arguments: list[str]) -> str | None:
    folded = _folded(name)
    if folded == "join":
        return f"write `join({arguments[0] if arguments else 'list'}, {target})`"
    if folded in METHODS_AS_OPERATORS:
        listed = ", ".join(arguments)
        return f"write `{METHODS_AS_OPERATORS[folded].format(target=target, arguments=listed)}`"
    function = name if name in FUNCTIONS else FUNCTION_NAMES.get(folded)
    function = function or closest(name, FUNCTIONS)
    return f"write `{function}({', '.join([target, *arguments])})`" if function else None


def _folded(name: str) -> str:
    return name.lower().replace("_", "")
