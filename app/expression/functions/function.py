"""What one function of the language is, and the checks of its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.expression.errors import Fault
from app.expression.limits import MAX_TEXT, Evaluation
from app.expression.values import NUMBERS, kind


@dataclass(frozen=True, slots=True)
class Function:
    """One function. Its sentence ``doc`` and an example are in ``docs/expressions.md``.

    ``call`` takes the evaluation, then the arguments. With ``lazy`` the arguments arrive as
    functions without arguments, and what the first one reads may be missing. ``arity`` is the
    least and the largest number of arguments, ``None`` if there is no largest.
    """

    name: str
    call: Callable[..., Any]
    signature: str
    doc: str
    lazy: bool
    arity: tuple[int, int | None]


def function(signature: str, *, lazy: bool = False) -> Callable[[Callable[..., Any]], Function]:
    """Make a :class:`Function` of the Python function below, whose docstring is its ``doc``."""

    def declared(call: Callable[..., Any]) -> Function:
        name = signature.partition("(")[0]
        return Function(name, call, signature, call.__doc__ or "", lazy, _arity(call))

    return declared


def _arity(call: Callable[..., Any]) -> tuple[int, int | None]:
    parameters = list(inspect.signature(call).parameters.values())[1:]
    plain = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    least = sum(p.default is p.empty for p in plain)
    return least, len(plain) if len(plain) == len(parameters) else None


def text_argument(evaluation: Evaluation, function: str, value: Any) -> str:
    """An argument that must be text, with reading it once paid for.

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
    """An argument that must be a list, with one unit paid for each item."""
    if not isinstance(value, list):
        raise Fault(f"{function} needs a list, not {kind(value)}")
    evaluation.spend(len(value))
    return value


def number_argument(function: str, value: Any) -> Any:
    """An argument that must be a number; true and false are not."""
    if type(value) not in NUMBERS:
        raise Fault(f"{function} needs a number, not {kind(value)}")
    return value
