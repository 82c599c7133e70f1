"""Reading and building values: fields, items, slices, ``default``, comprehensions, mixed text.

A path such as ``steps.login.body`` compiles to plain subscripts of plain dictionaries; the helpers
here are for the other cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from app.expression.errors import Fault, Missing
from app.expression.functions.function import function
from app.expression.limits import Evaluation, Loop, check_text
from app.expression.values import kind

NOT_THERE = (KeyError, IndexError, TypeError)
"""What Python raises for ``value[key]`` when a JSON value has no such field or index."""


def item(target: Any, key: Any) -> Any:
    """``target[key]`` for a computed key or a computed target."""
    if type(key) is not str and type(key) is not int:
        raise Fault(f"a field is named by text and an item by a whole number, not by {kind(key)}")
    try:
        return target[key]
    except NOT_THERE:
        raise Missing(target, key) from None


def part(evaluation: Evaluation, target: Any, start: Any, stop: Any, step: Any) -> Any:
    """``target[start:stop:step]`` of a list or a text."""
    if not isinstance(target, (list, str)):
        raise Fault(f"only a list or a text has slices, not {kind(target)}")
    for bound in (start, stop, step):
        if bound is not None and type(bound) is not int:
            raise Fault(f"the bounds of a slice are whole numbers, not {kind(bound)}")
    if step == 0:
        raise Fault("the step of a slice cannot be 0")
    wanted = slice(start, stop, step)
    length = len(range(*wanted.indices(len(target))))
    if isinstance(target, str):
        evaluation.new_text(length)
    else:
        evaluation.new_list(length)
    return target[wanted]


@function("default(expression, value)", lazy=True)
def default(_: Evaluation, read: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """The expression, or the value if what it reads is null or not there."""
    try:
        value = read()
    except (*NOT_THERE, Missing):
        return otherwise()
    return otherwise() if value is None else value


def rounds(evaluation: Evaluation, items: Any, cost: int, loop: Loop) -> Iterator[Any]:
    """The items that a comprehension goes over, with ``cost`` units paid for each round."""
    if not isinstance(items, list):
        advice = "; write `keys(…)` or `values(…)`" if isinstance(items, dict) else ""
        raise Fault(f"`for` goes over a list, not over {kind(items)}{advice}")
    evaluation.spend(len(items) * cost)
    result = iter(items)
    evaluation.loops[loop] = (items, result)
    return result


def field_name(value: Any) -> str:
    """A computed name of a field, which must be text."""
    if type(value) is not str:
        raise Fault(f"the name of a field is text, not {kind(value)}")
    return value


def mixed_text(*parts: str) -> str:
    """Literal text and written values, joined."""
    check_text(sum(map(len, parts)))
    return "".join(parts)
