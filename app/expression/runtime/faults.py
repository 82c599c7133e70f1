"""How evaluating fails: inside as faults, outside as :class:`ExpressionError`."""

from __future__ import annotations

from typing import Any


class ExpressionError(Exception):
    """An expression has no value. ``message`` says which part of it, and why.

    It names kinds and fields, never values: a value may be a secret.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class Fault(Exception):
    """Something that cannot be computed. The text does not say where: ``explain.py`` adds that."""


class Missing(Fault):
    """``target`` has no field or index ``key``: the one fault that ``default(…)`` forgives.

    The sentence is only made when somebody reads it.
    """

    def __init__(self, target: Any, key: Any) -> None:
        self.target = target
        self.key = key
        super().__init__()
