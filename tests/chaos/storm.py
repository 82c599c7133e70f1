"""A storm: load on a fleet while the saboteur is at work, and a verdict at the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.acts import ACTS, CLUSTER_ACTS
from tests.chaos.cluster import cluster
from tests.chaos.fleet import fleet
from tests.chaos.judge import Verdict, judge
from tests.chaos.load import Load
from tests.chaos.sink import Sink

FLOWS = ("straight", "again", "handled", "called")
LEASE = 1
DEADLINE = 60
"""Seconds: ``timeout`` of those flows."""
SLACK = 15
LONGEST_LULL = 0.6


@dataclass(frozen=True, slots=True)
class Plan:
    """One round: these acts in this order, at moments that follow from the seed.

    ``is_cluster`` is for runs in Redis that Celery executes, and its acts; ``arguments`` are
    gunicorn's.
    """

    seed: int
    acts: Sequence[str]
    errors: float = 0.0
    lulls: int = 1
    is_cluster: bool = False
    arguments: Sequence[str] = ()


def storm(folder: Path, plan: Plan) -> Verdict:
    """Carry the plan out; what it finds is in the verdict, which also holds tracebacks."""
    choice = random.Random(plan.seed)
    machines, acts = (cluster, CLUSTER_ACTS) if plan.is_cluster else (fleet, ACTS)
    # Celery's two processes can execute about a dozen runs a second.
    pause = 0.6 if plan.is_cluster else 0.1
    options = {"errors": plan.errors, "arguments": plan.arguments, "LEASE": f"{LEASE}s"}
    with (
        Sink() as sink,
        machines(folder, **options) as servers,
        Load(servers.port, sink.url, FLOWS, seed=plan.seed, pause=pause) as load,
    ):
        for name in plan.acts:
            _lull(choice, plan.lulls)
            acts[name](servers, choice)
        _lull(choice, plan.lulls)
        book = load.stop()
        verdict = judge(servers.client, book, sink, seconds=LEASE + DEADLINE + SLACK)
        verdict.wrong += [trouble[:3_000] for trouble in servers.troubles]
    return verdict


def _lull(choice: random.Random, times: int) -> None:
    threading.Event().wait(choice.random() * LONGEST_LULL * times)
