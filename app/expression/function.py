"""The Function contract: what one function of the language is, and how it takes its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.expression.limits import MAX_TEXT
from app.expression.runtime.evaluation import Evaluation
from app.expression.runtime.faults import Fault
from app.expression.runtime.values import NUMBERS, kind


@dataclass(frozen=True, slots=True)
class Function:
    """One function. ``example`` is source whose value is ``result``, in the docs and in a test.

    ``call`` takes the evaluation, then the arguments. With ``lazy`` the arguments arrive as
    functions of no arguments, and what the first one reads may be missing.
    """

    name: str
    call: Callable[..., Any]
    signature: str
    doc: str
    example: str
    result: Any
    lazy: bool = False

    def arity(self) -> tuple[int, int | None]:
        """The least and the largest number of arguments; ``None`` if there is no largest."""
        parameters = list(inspect.signature(self.call).parameters.values())[1:]
        plain = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
        least = sum(p.default is p.empty for p in plain)
        return least, len(plain) if len(plain) == len(parameters) else None


def text_argument(evaluation: Evaluation, function: str, value: Any) -> str:
    """An argument that is text, with going over it once paid for.

    Raises:
        Fault: it is something else, or too long.
    """
    if not isinstance(value, str):
        raise Fault(f"{function} needs text, not {kind(value)}")
    if len(value) > MAX_TEXT:
        raise Fault(f"{function} takes at most {MAX_TEXT:,} characters")
    evaluation.spend_text(len(value))
    return value


def list_argument(evaluation: Evaluation, function: str, value: Any) -> list[Any]:
    """An argument that is a list, with one unit paid for each item."""
    if not isinstance(value, list):
        raise Fault(f"{function} needs a list, not {kind(value)}")
    evaluation.spend(len(value))
    return value


def object_argument(evaluation: Evaluation, function: str, value: Any) -> dict[str, Any]:
    """An argument that is an object, with one unit paid for each field."""
    if not isinstance(value, dict):
        raise Fault(f"{function} needs an object, not {kind(value)}")
    evaluation.spend(len(value))
    return value


def number_argument(function: str, value: Any) -> Any:
    """An argument that is a number; true and false are none."""
    if type(value) not in NUMBERS:
        raise Fault(f"{function} needs a number, not {kind(value)}")
    return value
