"""A storm: load on a fleet while the saboteur is at work, and a verdict at the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.acts import ACTS
from tests.chaos.fleet import fleet
from tests.chaos.judge import Verdict, judge
from tests.chaos.load import Load
from tests.chaos.sink import Sink

FLOWS = ("straight", "again", "handled", "called")
LEASE = 1
DEADLINE = 20
"""Seconds: ``timeout`` of those flows."""
SLACK = 15
LONGEST_LULL = 0.6


@dataclass(frozen=True, slots=True)
class Plan:
    """One round: these acts in this order, at moments that follow from the seed."""

    seed: int
    acts: Sequence[str]
    errors: float = 0.0
    lulls: int = 1


def storm(folder: Path, plan: Plan) -> Verdict:
    """Carry the plan out; what it finds is in the verdict, which also holds tracebacks."""
    choice = random.Random(plan.seed)
    with (
        Sink() as sink,
        fleet(folder, errors=plan.errors, LEASE=f"{LEASE}s") as servers,
        Load(servers.port, sink.url, FLOWS, seed=plan.seed) as load,
    ):
        for name in plan.acts:
            _lull(choice, plan.lulls)
            ACTS[name](servers, choice)
        _lull(choice, plan.lulls)
        book = load.stop()
        verdict = judge(servers.client, book, sink, seconds=LEASE + DEADLINE + SLACK)
        if "Traceback" in servers.log:
            verdict.wrong.append(servers.log[servers.log.index("Traceback") :][:3_000])
    return verdict


def _lull(choice: random.Random, times: int) -> None:
    threading.Event().wait(choice.random() * LONGEST_LULL * times)
