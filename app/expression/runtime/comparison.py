"""The operators ``== != < <= > >= in`` on JSON values.

Equality is JSON's: ``1 == 1.0``, but ``true`` equals no number. Order exists between two numbers
and between two texts. Inside, values are compared only after what that may cost has been paid.
"""

from __future__ import annotations

from typing import Any

from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault
from app.expression.runtime.values import NUMBERS, kind


def equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left == right``; values of different kinds are not equal."""
    if type(left) is not type(right):
        return type(left) in NUMBERS and type(right) in NUMBERS and bool(left == right)
    if type(left) is str:
        return _equal_texts(evaluation, left, right)
    if type(left) is list:
        return _equal_lists(evaluation, left, right)
    if type(left) is dict:
        return _equal_objects(evaluation, left, right)
    return bool(left == right)


def not_equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left != right``."""
    return not equal(evaluation, left, right)


def _equal_texts(evaluation: Evaluation, left: str, right: str) -> bool:
    if len(left) != len(right):
        return False
    evaluation.spend_text(len(left))
    return left == right


def _equal_lists(evaluation: Evaluation, left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    for one, other in zip(left, right, strict=True):
        evaluation.spend(4)
        if not equal(evaluation, one, other):
            return False
    return True


def _equal_objects(evaluation: Evaluation, left: dict[str, Any], right: dict[str, Any]) -> bool:
    if len(left) != len(right):
        return False
    for key, value in left.items():
        evaluation.spend(5)
        if key not in right or not equal(evaluation, value, right[key]):
            return False
    return True


def less(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left < right``."""
    check_order(evaluation, left, right)
    return bool(left < right)


def less_equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left <= right``."""
    check_order(evaluation, left, right)
    return bool(left <= right)


def greater(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left > right``."""
    check_order(evaluation, left, right)
    return bool(left > right)


def greater_equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """``left >= right``."""
    check_order(evaluation, left, right)
    return bool(left >= right)


def check_order(evaluation: Evaluation, left: Any, right: Any) -> None:
    """Pay for ordering two values.

    Raises:
        Fault: they are neither two numbers nor two texts.
    """
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return
    if type(left) is not str or type(right) is not str:
        raise Fault(f"{kind(left)} and {kind(right)} have no order")
    evaluation.spend_text(min(len(left), len(right)))


def contains(evaluation: Evaluation, item: Any, container: Any) -> bool:
    """``item in container``: part of a text, item of a list, field name of an object."""
    if isinstance(container, list):
        return _list_contains(evaluation, item, container)
    if type(item) is not str:
        raise Fault(f"`in` cannot look for {kind(item)} in {kind(container)}")
    if type(container) is str:
        evaluation.spend_text(len(container))
        return item in container
    if container is None or type(container) in NUMBERS or type(container) is bool:
        raise Fault(f"`in` needs a list, a text or an object on its right, not {kind(container)}")
    return item in container


def lacks(evaluation: Evaluation, item: Any, container: Any) -> bool:
    """``item not in container``."""
    return not contains(evaluation, item, container)


def _list_contains(evaluation: Evaluation, item: Any, items: list[Any]) -> bool:
    for one in items:
        evaluation.spend(3)
        if equal(evaluation, item, one):
            return True
    return False
