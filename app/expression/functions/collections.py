"""Functions on lists and objects."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any

from app.expression.errors import Fault
from app.expression.functions.function import function, list_argument, text_argument
from app.expression.functions.operators import check_order
from app.expression.functions.reading import item
from app.expression.limits import Evaluation
from app.expression.values import kind, size


@function("len(value)")
def length(_: Evaluation, value: Any) -> int:
    """How many characters, items or fields there are."""
    if not isinstance(value, (str, list, dict)):
        raise Fault(f"len needs text, a list or an object, not {kind(value)}")
    return len(value)


@function("keys(object)")
def keys(evaluation: Evaluation, value: Any) -> list[str]:
    """The names of the fields, in order."""
    return list(_fields(evaluation, "keys", value))


@function("values(object)")
def values(evaluation: Evaluation, value: Any) -> list[Any]:
    """The values of the fields, in order."""
    return list(_fields(evaluation, "values", value).values())


def _fields(evaluation: Evaluation, function: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault(f"{function} needs an object, not {kind(value)}")
    evaluation.new_list(len(value))
    return value


@function("sorted(list, field)")
def sort(evaluation: Evaluation, items: Any, field: Any = None) -> list[Any]:
    """In ascending order: numbers, texts, or objects by the field named."""
    items = list_argument(evaluation, "sorted", items)
    evaluation.new_list(len(items))
    comparisons = len(items).bit_length()
    evaluation.spend(len(items) * (1 + comparisons // 2))
    by = items
    if field is not None:
        name = text_argument(evaluation, "sorted", field)
        by = [item(one, name) for one in items]
    for one in by:
        check_order(evaluation, by[0], one)
        if type(one) is str:
            evaluation.spend_text(len(one) * comparisons)
    return [one for _, one in sorted(zip(by, items, strict=True), key=itemgetter(0))]


@function("unique(list)")
def unique(evaluation: Evaluation, items: Any) -> list[Any]:
    """Without repetitions; the first of equal items stays."""
    items = list_argument(evaluation, "unique", items)
    evaluation.new_list(len(items))
    first: dict[str, Any] = {}
    for one in items:
        first.setdefault(_identity(evaluation, one), one)
    return list(first.values())


def _identity(evaluation: Evaluation, value: Any) -> str:
    """One text for all values that are equal; hashes of texts cannot be foreseen, so not abused."""
    evaluation.spend(30 + size(evaluation, value) // 4)
    return json.dumps(_without_fraction(value), sort_keys=True)


def _without_fraction(value: Any) -> Any:
    """``1.0`` as ``1``, at any depth: they are equal but not written alike."""
    if type(value) is float and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_without_fraction(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_fraction(one) for key, one in value.items()}
    return value
