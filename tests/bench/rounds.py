"""Measuring several subjects in turn, so that a busy moment of the machine meets all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def interleave(subjects: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure every subject once a round: A B C, C B A, A B C …

    Going back and forth, a machine that slowly gets faster or slower favours none of them.
    """
    readings: dict[str, list[T]] = {name: [] for name in subjects}
    for number in range(rounds):
        names = list(subjects) if number % 2 == 0 else list(reversed(list(subjects)))
        for name in names:
            readings[name].append(subjects[name]())
    return readings


def ratio(values: Sequence[float], baseline: Sequence[float]) -> float:
    """The median of the ratios of each round: both were measured moments apart."""
    return median(value / base for value, base in zip(values, baseline, strict=True))
