"""A storm on one machine, at each gate; ``make chaos`` makes many."""

from __future__ import annotations

import random
from pathlib import Path

from tests.chaos.acts import ACTS
from tests.chaos.storm import Plan, storm

SEED = 20


def test_every_act(tmp_path: Path) -> None:
    """Whatever is killed, and wherever it dies, no run is lost and none is doubled."""
    acts = random.Random(SEED).sample(sorted(ACTS), len(ACTS))
    verdict = storm(tmp_path, Plan(SEED, acts))
    assert not verdict.diagnostics
    assert verdict.ends["FINISH"] > verdict.accepted / 2


def test_a_store_that_lies(tmp_path: Path) -> None:
    """Calls that fail, and calls that only say so, cost time: not one run."""
    verdict = storm(tmp_path, Plan(SEED, (), errors=0.02, lulls=10))
    assert not verdict.diagnostics
    assert verdict.ends["FINISH"] == verdict.accepted > 0
