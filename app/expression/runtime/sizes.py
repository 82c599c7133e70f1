"""How large a value is, counted without writing it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.expression.runtime.evaluation import Evaluation

_WORK_PER_CONTAINER = 5


def size(evaluation: Evaluation, value: Any) -> int:
    """Characters that the JSON text of a value has at least. What occurs twice counts twice.

    Raises:
        Fault: the value is larger than the work that is left.
    """
    total = _characters(evaluation, [value])
    pending = _containers([value])
    while pending:
        node = pending.pop()
        evaluation.spend(_WORK_PER_CONTAINER + len(node))
        total += len(node)
        if isinstance(node, dict):
            total += _characters(evaluation, node)
            node = node.values()
        total += _characters(evaluation, node)
        pending += _containers(node)
    return total


def _containers(values: Collection[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, (list, dict))]


def _characters(evaluation: Evaluation, values: Collection[Any]) -> int:
    """Characters of texts and digits of whole numbers, paid for."""
    characters = sum([len(value) for value in values if type(value) is str])
    characters += sum([value.bit_length() // 4 for value in values if type(value) is int])
    evaluation.spend_text(characters)
    return characters


def sized(evaluation: Evaluation, value: Any) -> Any:
    """A value that repetition may have made huge, if it is not."""
    size(evaluation, value)
    return value
