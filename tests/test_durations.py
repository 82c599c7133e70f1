"""Durations: one grammar, whose units differ by the place where it is written."""

from __future__ import annotations

import pytest

from app.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("90m", 5_400), ("12h", 43_200), ("30d", 2_592_000)]
)
def test_a_number_and_a_unit_are_seconds(text: str, seconds: float) -> None:
    """Seconds, minutes, hours and days are understood where nothing else is asked for."""
    assert parse_duration(text) == seconds


def test_units_and_fractions_are_those_of_the_place() -> None:
    """A flow has milliseconds and fractions, and no days."""
    units = ("ms", "s", "m", "h")
    assert parse_duration("1.5h", units, fractions=True) == 5_400
    assert parse_duration("200ms", units, fractions=True) == pytest.approx(0.2)
    assert parse_duration("1d", units, fractions=True) is None


@pytest.mark.parametrize("text", ["", "30", "-1d", "1.5h", "200ms", "5 s", "5sec", "1h30m"])
def test_any_other_text_is_no_duration(text: str) -> None:
    """What is not exactly a number and a known unit is refused."""
    assert parse_duration(text) is None
