"""A mistake that shows before anything runs, and the error that carries all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TemplatePath = tuple[str | int, ...]
"""Where a text stands inside a template value: keys and indexes; ``()`` for the value itself."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One mistake in an expression or template.

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
    """Text that is not in the language; ``problems`` are all of its mistakes, in reading order."""

    def __init__(self, problems: Iterable[Issue]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))
