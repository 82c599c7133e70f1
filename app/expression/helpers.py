"""Every name that compiled code can call. There is nothing else in its world."""

from __future__ import annotations

from typing import Any

from app.expression.registry import FUNCTIONS
from app.expression.runtime import arithmetic, building, comparison, reading, sizes, values
from app.expression.syntax.calls import HELPER

_OPERATORS = (
    arithmetic.add,
    arithmetic.subtract,
    arithmetic.multiply,
    arithmetic.divide,
    arithmetic.floor_divide,
    arithmetic.modulo,
    arithmetic.power,
    arithmetic.negative,
    arithmetic.positive,
    comparison.equal,
    comparison.not_equal,
    comparison.less,
    comparison.less_equal,
    comparison.greater,
    comparison.greater_equal,
    comparison.contains,
    comparison.lacks,
    reading.item,
    reading.part,
    building.rounds,
    building.field_name,
    building.mixed_text,
    sizes.sized,
    values.written,
)
HELPERS: dict[str, Any] = {
    "__builtins__": {},
    **{operator.__name__: operator for operator in _OPERATORS},
    **{HELPER.format(name): function.call for name, function in FUNCTIONS.items()},
}
