"""A storm on many machines, at each gate; ``make chaos`` makes many."""

from __future__ import annotations

import random
from pathlib import Path

from tests.chaos.acts import ACTS, CLUSTER_ACTS
from tests.chaos.storm import Plan, storm

SEED = 20


def test_every_act_on_many_machines(tmp_path: Path) -> None:
    """Celery's workers execute runs that are in Redis, and each of these dies: no run is lost."""
    names = sorted({*CLUSTER_ACTS} - {*ACTS})
    acts = random.Random(SEED).sample([*names, "after-claim", "before-checkpoint"], len(names) + 2)
    verdict = storm(tmp_path, Plan(SEED, acts, is_cluster=True))
    assert not verdict.diagnostics
    assert verdict.ends["FINISH"] > verdict.accepted / 2
