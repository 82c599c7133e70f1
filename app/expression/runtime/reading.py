"""Reading fields, items and slices, and the one function that forgives: ``default``.

A path such as ``steps.login.body`` compiles to plain subscripts of plain dictionaries; what stands
here serves the other cases. Whatever a read raises means that something is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault, Missing
from app.expression.runtime.values import check_list_size, check_text_size, kind

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
    evaluation.spend(length // 4)
    if isinstance(target, str):
        check_text_size(length)
    else:
        check_list_size(length)
    return target[wanted]


def default(_: Evaluation, read: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """The value of ``read()``, or of ``otherwise()`` when that is null or not there."""
    try:
        value = read()
    except (*NOT_THERE, Missing):
        return otherwise()
    return otherwise() if value is None else value
