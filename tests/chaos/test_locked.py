"""Another process keeps the store's lock: everybody waits or is told to come back."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.lock import lock_under_load


def test_locked_for_three_seconds(tmp_path: Path) -> None:
    """Nobody who was answered is lost, nobody who was refused is carried out, nobody is doubled."""
    verdict = lock_under_load(tmp_path, 3)
    assert not verdict.diagnostics
    assert verdict.ends["FINISH"] == verdict.accepted
    assert not verdict.broken
