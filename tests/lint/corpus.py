"""The folders of broken files. Each file begins with what lint has to say about it, in order:

    # 7:26 error wrong-operator: write `and`

is line, column, severity and code, then words that the hint contains.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.language.environment import Environment
from app.yaml.diagnostics import Diagnostic

ROOT = Path(__file__).parent
BROKEN = ROOT / "broken"
FILES = sorted(BROKEN.glob("*/*.y*ml"))
BROKEN_SERVICES = ROOT / "broken_services"
"""Flows folders, each with a ``services.yaml`` that is broken, or whose flows use it wrongly."""
SERVICES_FOLDERS = sorted(BROKEN_SERVICES.iterdir())
NOTHING_OUTSIDE = Environment(env=frozenset(), secrets=frozenset())
"""A process that lets flows read no environment variable and no secret."""

_LINE = re.compile(r"# (\d+):(\d+) (error|warning) ([a-z-]+)(?:: (.*))?")


class Expected(NamedTuple):
    """One finding that a file asks for."""

    line: int
    column: int
    severity: str
    code: str
    hint: str

    def matches(self, diagnostic: Diagnostic) -> bool:
        """Whether a finding is the expected one."""
        place = (diagnostic.line, diagnostic.column, diagnostic.severity.value, diagnostic.code)
        return place == self[:4] and self.hint in (diagnostic.hint or "")


def expected(text: str) -> Sequence[Expected]:
    """The expectations at the beginning of a file."""
    found = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            break
        found.append(Expected(int(match[1]), int(match[2]), match[3], match[4], match[5] or ""))
    return found
