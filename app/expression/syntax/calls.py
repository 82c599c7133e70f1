"""Calls of the listed functions, and what to write instead of all other calls."""

from __future__ import annotations

import ast

from app.expression.functions import FUNCTIONS
from app.expression.functions.function import Function
from app.expression.hints import FUNCTION_NAMES, METHODS_AS_OPERATORS, nearest
from app.expression.limits import WORK_PER_CALL
from app.expression.syntax.displays import list_comprehension
from app.expression.translator import Translator


def call(translator: Translator, node: ast.Call) -> ast.expr:
    """``name(a, b)``."""
    if isinstance(node.func, ast.Attribute):
        return _method(translator, node, node.func)
    if not isinstance(node.func, ast.Name):
        return translator.report(node, "not-allowed", "only a function by its name can be called")
    function = FUNCTIONS.get(node.func.id)
    if function is None:
        return _unknown(translator, node, node.func)
    translator.cost += WORK_PER_CALL
    _check_arguments(translator, node, function)
    return translator.metered(function.call, _arguments(translator, node, function), node)


def _arguments(translator: Translator, node: ast.Call, function: Function) -> list[ast.expr]:
    if function.lazy:
        return _lazy_arguments(translator, node)
    if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
        return [list_comprehension(translator, node.args[0])]
    return [translator.translate(argument) for argument in node.args]


def _lazy_arguments(translator: Translator, node: ast.Call) -> list[ast.expr]:
    """Arguments as functions; reading what is missing is safe in the first."""
    arguments, was_safe = [], translator.is_safe
    for index, argument in enumerate(node.args):
        translator.is_safe = was_safe or index == 0
        arguments.append(translator.function((), translator.translate(argument), argument))
    translator.is_safe = was_safe
    return arguments


def _check_arguments(translator: Translator, node: ast.Call, function: Function) -> None:
    least, most = function.arity
    if node.keywords:
        message = f"the arguments of {function.name} have no names"
    elif not least <= len(node.args) <= (len(node.args) if most is None else most):
        message = f"{function.name} takes {_count(least, most)}, not {len(node.args)}"
    else:
        return
    translator.report(node, "bad-arguments", message, f"write `{function.signature}`")


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least} argument{'s' * (least != 1)}"
    number = str(most) if least == most else f"{least} or {most}"
    return f"{number} argument{'s' * (most != 1)}"


def _unknown(translator: Translator, node: ast.Call, function: ast.Name) -> ast.expr:
    for argument in node.args:
        translator.translate(argument)
    near = FUNCTION_NAMES.get(_folded(function.id)) or nearest(function.id, FUNCTIONS)
    hint = f"write `{FUNCTIONS[near].signature}`" if near else None
    message = f"there is no function `{function.id[:40]}`"
    return translator.report(function, "unknown-function", message, hint)


def _method(translator: Translator, node: ast.Call, method: ast.Attribute) -> ast.expr:
    """``x.upper()``: say how it is written here, in the author's own words."""
    for part in (method.value, *node.args):
        translator.translate(part)
    name, written = method.attr, translator.source.written
    target, arguments = written(method.value), [written(argument) for argument in node.args]
    message = f"a value has no methods: `{name[:40]}` cannot be called"
    return translator.report(node, "not-allowed", message, _method_hint(name, target, arguments))


def _method_hint(name: str, target: str, arguments: list[str]) -> str | None:
    folded = _folded(name)
    if folded in METHODS_AS_OPERATORS:
        listed = ", ".join(arguments)
        return f"write `{METHODS_AS_OPERATORS[folded].format(target=target, arguments=listed)}`"
    if folded == "join" and target[0] in "\"'":
        target, arguments = ", ".join(arguments) or "list", [target]
    function = name if name in FUNCTIONS else FUNCTION_NAMES.get(folded)
    function = function or nearest(name, FUNCTIONS)
    return f"write `{function}({', '.join([target, *arguments])})`" if function else None


def _folded(name: str) -> str:
    return name.lower().replace("_", "")
