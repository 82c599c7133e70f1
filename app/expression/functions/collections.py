"""Functions on lists and objects."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any

from app.expression.function import Function, list_argument, object_argument, text_argument
from app.expression.runtime.comparison import check_order
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault
from app.expression.runtime.reading import default, item
from app.expression.runtime.sizes import size
from app.expression.runtime.values import check_list_size, kind


def length(_: Evaluation, value: Any) -> int:
    """Count characters, items or fields."""
    if not isinstance(value, (str, list, dict)):
        raise Fault(f"len needs text, a list or an object, not {kind(value)}")
    return len(value)


def keys(evaluation: Evaluation, value: Any) -> list[str]:
    """List the field names of an object."""
    fields = object_argument(evaluation, "keys", value)
    check_list_size(len(fields))
    return list(fields)


def values(evaluation: Evaluation, value: Any) -> list[Any]:
    """List the values of an object."""
    fields = object_argument(evaluation, "values", value)
    check_list_size(len(fields))
    return list(fields.values())


def sort(evaluation: Evaluation, items: Any, field: Any = None) -> list[Any]:
    """Sort numbers or texts, or objects by one of their fields; equal ones keep their order."""
    items = list_argument(evaluation, "sorted", items)
    check_list_size(len(items))
    evaluation.spend(len(items) * (2 + len(items).bit_length() // 2))
    if field is None:
        by = items
    else:
        name = text_argument(evaluation, "sorted", field)
        by = [item(one, name) for one in items]
    _pay_for_order(evaluation, by)
    return [one for _, one in sorted(zip(by, items, strict=True), key=itemgetter(0))]


def _pay_for_order(evaluation: Evaluation, items: list[Any]) -> None:
    """Each item is compared about ``log2(len(items))`` times."""
    comparisons = len(items).bit_length()
    for one in items:
        check_order(evaluation, items[0], one)
        if type(one) is str:
            evaluation.spend_text(len(one) * comparisons)


def unique(evaluation: Evaluation, items: Any) -> list[Any]:
    """Keep the first of equal items."""
    items = list_argument(evaluation, "unique", items)
    check_list_size(len(items))
    first: dict[str, Any] = {}
    for one in items:
        first.setdefault(_identity(evaluation, one), one)
    return list(first.values())


def _identity(evaluation: Evaluation, value: Any) -> str:
    """One text for all values that are equal; as text, so that its hash cannot be foreseen."""
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


COLLECTION_FUNCTIONS = (
    Function(
        "len",
        length,
        "len(value)",
        "How many characters, items or fields there are.",
        'len(["a", "b"])',
        2,
    ),
    Function(
        "default",
        default,
        "default(expression, value)",
        "The expression, or the value if what it reads is null or not there.",
        'default(inputs.nickname, "friend")',
        "friend",
        lazy=True,
    ),
    Function(
        "keys",
        keys,
        "keys(object)",
        "The names of the fields, in order.",
        'keys({"b": 1, "a": 2})',
        ["b", "a"],
    ),
    Function(
        "values",
        values,
        "values(object)",
        "The values of the fields, in order.",
        'values({"b": 1, "a": 2})',
        [1, 2],
    ),
    Function(
        "sorted",
        sort,
        "sorted(list, field)",
        "In ascending order: numbers, texts, or objects by the field named.",
        'sorted([{"n": 2}, {"n": 1}], "n")',
        [{"n": 1}, {"n": 2}],
    ),
    Function(
        "unique",
        unique,
        "unique(list)",
        "Without repetitions; the first of equal items stays.",
        "unique([1, 2, 1.0, true])",
        [1, 2, True],
    ),
)
