"""How large a value is, counted without writing it."""

from __future__ import annotations

from typing import Any

from app.expression.runtime.evaluation import CHARACTERS_PER_UNIT, Evaluation


def size(evaluation: Evaluation, value: Any) -> int:
    """Characters that the JSON text of a value has at least. What occurs twice counts twice.

    Raises:
        Fault: the value is larger than the work that is left.
    """
    total = 0
    pending = [value]
    while pending:
        node = pending.pop()
        length = _own_size(evaluation, node)
        evaluation.spend(1 + length // CHARACTERS_PER_UNIT)
        total += length
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            pending.extend(node.values())
    return total


def _own_size(evaluation: Evaluation, node: Any) -> int:
    """Characters of a scalar, or of the brackets, commas and names of a container."""
    if isinstance(node, str):
        return len(node) + 2
    if isinstance(node, (list, dict)):
        evaluation.spend(len(node))
        return 2 + len(node) + (sum(map(len, node)) if isinstance(node, dict) else 0)
    return node.bit_length() // 4 + 1 if isinstance(node, int) else 3


def sized(evaluation: Evaluation, value: Any) -> Any:
    """A value that repetition may have made huge, if it is not."""
    size(evaluation, value)
    return value
