"""Durations as people write them: a number and its unit, such as ``200ms``, ``1.5h``, ``30d``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

SECONDS: Mapping[str, float] = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""Unit → how many seconds it has."""


def duration_pattern(units: Collection[str], *, fractions: bool = False) -> str:
    """The regular expression of a duration: up to nine digits, three after a point, and a unit."""
    fraction = r"(?:\.\d{1,3})?" if fractions else ""
    return rf"(\d{{1,9}}{fraction})({'|'.join(units)})"


def parse_duration(
    text: str, units: Collection[str] = ("s", "m", "h", "d"), *, fractions: bool = False
) -> float | None:
    """The seconds of a duration in one of these units; ``None`` for any other text."""
    match = re.fullmatch(duration_pattern(units, fractions=fractions), text)
    return float(match[1]) * SECONDS[match[2]] if match else None
