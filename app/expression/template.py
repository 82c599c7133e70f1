"""Text with ``${expression}`` in it: where the expressions are, and what is literal.

``$${`` is a literal ``${``; outside of ``${…}`` everything else is literal too. A value
that an expression gives is never looked at again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from app.expression.errors import Issue, TemplatePath
from app.expression.scanner import Scan, scan

_MARK = re.compile(r"\$\$\{|\$\{")
_BRACES = re.compile(r"\{\{([^{}\n]*)\}\}")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text, as it is written from ``start`` on: literal, or ``${…}`` with its scan."""

    start: int
    written: str
    scan: Scan | None = None

    @property
    def literal(self) -> str:
        """The text that a literal piece gives."""
        return self.written.replace("$${", "${")


def parts(text: str, path: TemplatePath = ()) -> list[Part]:
    """Cut a text into its literal pieces and its ``${…}``; together they are the whole text."""
    found: list[Part] = []
    literal = position = 0
    while mark := _MARK.search(text, position):
        position = mark.end()
        if mark[0] == "$${":
            continue
        if mark.start() > literal:
            found.append(Part(literal, text[literal : mark.start()]))
        hole = scan(text, position, path)
        literal = position = min(hole.end + 1, len(text))
        found.append(Part(mark.start(), text[mark.start() : position], hole))
    if literal < len(text):
        found.append(Part(literal, text[literal:]))
    return found


def split_template(text: str) -> list[tuple[int, str]]:
    """The pieces of a text as they are written, each a template itself, with their offsets."""
    return [(part.start, part.written) for part in parts(text)]


def find_braces(value: Any, path: TemplatePath = ()) -> list[Issue]:
    """Places where a template holds ``{{ x }}``, which means nothing here: perhaps a mistake."""
    if isinstance(value, dict):
        return [p for key, item in value.items() for p in find_braces(item, (*path, key))]
    if isinstance(value, list):
        return [p for index, item in enumerate(value) for p in find_braces(item, (*path, index))]
    if not isinstance(value, str) or "{{" not in value:
        return []
    literals = [part for part in parts(value, path) if part.scan is None]
    return [
        _braces(part, match, path) for part in literals for match in _BRACES.finditer(part.written)
    ]


def _braces(part: Part, match: re.Match[str], path: TemplatePath) -> Issue:
    hint = f"write `${{{match[1].strip()}}}`"
    message = "`{{ }}` is not an expression here: it stays as it is"
    return Issue("braces", message, part.start + match.start(), len(match[0]), hint, path)
