"""How large a value is, counted without writing it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.expression.runtime.evaluation import Evaluation

_WORK_PER_CONTAINER = 4


def size(evaluation: Evaluation, value: Any) -> int:
    """Characters that the JSON text of a value has at least. What occurs twice counts twice.

    Raises:
        Fault: the value is larger than the work that is left.
    """
    total = 0
    pending: list[Collection[Any]] = [[value]]
    while pending:
        node = pending.pop()
        evaluation.spend(_WORK_PER_CONTAINER + len(node))
        characters = len(node)
        if isinstance(node, dict):
            characters += sum(map(len, node))
            node = node.values()
        for child in node:
            kind = type(child)
            if kind is str:
                characters += len(child)
            elif kind is int:
                characters += child.bit_length() // 4
            elif kind is list or kind is dict:
                pending.append(child)
        evaluation.spend_text(characters)
        total += characters
    return total


def sized(evaluation: Evaluation, value: Any) -> Any:
    """A value that repetition may have made huge, if it is not."""
    size(evaluation, value)
    return value
