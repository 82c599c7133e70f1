"""What can be wrong with an expression: issues in its text, and errors while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

TemplatePath = tuple[str | int, ...]
"""The place of a text in a template value: keys and indexes; ``()`` for the value itself."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong with the text of an expression or template.

    ``message`` is a sentence without its full stop, ``hint`` what to write instead. ``offset`` and
    ``length`` count characters of the text at ``path`` (not only of the expression inside it).

    Codes: ``syntax``, ``empty``, ``unclosed``, ``wrapped-expression``, ``braces``, ``too-long``,
    ``too-deep``, ``too-large``, ``wrong-operator``, ``not-allowed``, ``unknown-root``,
    ``unknown-function``, ``bad-arguments``, ``duplicate-key``.
    """

    code: str
    message: str
    offset: int
    length: int
    hint: str | None = None
    path: TemplatePath = ()


class ExpressionSyntaxError(Exception):
    """Text that is not in the language; ``issues`` are all that is wrong, in reading order."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__("; ".join(issue.message for issue in self.issues))


class ExpressionError(Exception):
    """An expression has no value. ``message`` says which part of it failed, and why.

    It names kinds and fields, never values: a value may be a secret.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class Fault(Exception):
    """Something cannot be computed. The text does not say where: ``explain.py`` adds that."""


class Missing(Fault):
    """``target`` has no field or index ``key``: the one fault that ``default(…)`` forgives.

    It has no text: ``explain.py`` writes one, if the error gets that far.
    """

    def __init__(self, target: Any, key: Any) -> None:
        self.target = target
        self.key = key
        super().__init__()
