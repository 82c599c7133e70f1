"""``python -m tests.chaos --rounds 20 --seed 1``: storms, each with a plan of its own seed.

Two of three rounds are on one machine, the others on many. At the end the store is locked for long.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.chaos.acts import ACTS, CLUSTER_ACTS
from tests.chaos.judge import Verdict
from tests.chaos.lock import lock_under_load
from tests.chaos.storm import Plan, storm
from tests.chaos.table import summary

ERRORS = 0.01
ACTS_PER_ROUND = 4
LONG_LOCK = 60
"""Seconds: as long as a flow may take, so some time out."""
RECYCLING = ("--max-requests", "100")


def main() -> int:
    """Run the rounds and print what they came to; 0 if every run was accounted for."""
    options = _options()
    verdicts = []
    for number in range(options.rounds):
        plan = _plan(options.seed + number)
        verdicts.append(_round(partial(storm, plan=plan)))
        _print(f"{number + 1:4} (seed {plan.seed}) {_words(plan)}", verdicts[-1])
    verdicts.append(_round(lambda folder: lock_under_load(folder, LONG_LOCK, "timeout")))
    _print(f"     the store is locked for {LONG_LOCK} s", verdicts[-1])
    print(f"\n{summary(verdicts)}")
    return 1 if any(verdict.diagnostics for verdict in verdicts) else 0


def _plan(seed: int) -> Plan:
    choice = random.Random(f"plan {seed}")
    errors = choice.choice((0.0, 0.0, ERRORS))
    is_cluster = choice.choice((False, False, True))
    acts = choice.choices(sorted(CLUSTER_ACTS if is_cluster else ACTS), k=ACTS_PER_ROUND)
    arguments = choice.choice(((), RECYCLING))
    return Plan(seed, acts, errors, lulls=3, is_cluster=is_cluster, arguments=arguments)


def _round(round_in: Callable[[Path], Verdict]) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="siteswap-chaos-") as folder:
        try:
            return round_in(Path(folder))
        except AssertionError as error:
            return Verdict(wrong=[f"the round did not come to its end: {error!r}"])


def _words(plan: Plan) -> str:
    errors = [f"{plan.errors:.0%} store errors"] if plan.errors else []
    recycling = ["workers are recycled"] if plan.arguments else []
    machines = "many machines" if plan.is_cluster else "one machine"
    return ", ".join([machines, *plan.acts, *errors, *recycling])


def _print(what: str, verdict: Verdict) -> None:
    ends = ", ".join(f"{word} {count}" for word, count in sorted(verdict.ends.items()))
    print(f"{what}: {ends}", flush=True)
    for diagnostic in verdict.diagnostics:
        print(f"     {diagnostic}", flush=True)


def _options() -> argparse.Namespace:
    description = "Servers are killed, starved and lied to, and every run is accounted for."
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=description)
    parser.add_argument("--rounds", type=int, default=20, help="how many storms (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the first one (default: 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
