"""Building values: rounds of a comprehension, names of fields, text with values in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.expression.runtime.evaluation import Evaluation, Loop
from app.expression.runtime.faults import Fault
from app.expression.runtime.values import check_text_size, kind


def rounds(evaluation: Evaluation, items: Any, cost: int, loop: Loop) -> Iterator[Any]:
    """The items a comprehension goes over, each round paid for with ``cost`` units."""
    if not isinstance(items, list):
        advice = "; write `keys(…)` or `values(…)`" if isinstance(items, dict) else ""
        raise Fault(f"`for` goes over a list, not over {kind(items)}{advice}")
    evaluation.spend(len(items) * cost)
    result = iter(items)
    evaluation.loops[loop] = (items, result)
    return result


def field_name(value: Any) -> str:
    """A computed name of a field."""
    if type(value) is not str:
        raise Fault(f"the name of a field is text, not {kind(value)}")
    return value


def mixed_text(*parts: str) -> str:
    """Literal text and written values, put together."""
    check_text_size(sum(map(len, parts)))
    return "".join(parts)
