"""``python -m tests.chaos --rounds 20 --seed 1``: storms, each with a plan of its own seed."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.acts import ACTS
from tests.chaos.judge import Verdict
from tests.chaos.storm import Plan, storm
from tests.chaos.table import summary

ERRORS = 0.01
ACTS_PER_ROUND = 4


def main() -> int:
    """Run the rounds and print what they came to; 0 if every run was accounted for."""
    options = _options()
    verdicts = []
    for number in range(options.rounds):
        plan = _plan(options.seed + number)
        verdicts.append(_round(plan))
        _print(number + 1, plan, verdicts[-1])
    print(f"\n{summary(verdicts)}")
    return 1 if any(verdict.findings for verdict in verdicts) else 0


def _plan(seed: int) -> Plan:
    choice = random.Random(f"plan {seed}")
    errors = choice.choice((0.0, 0.0, ERRORS))
    return Plan(seed, choice.choices(sorted(ACTS), k=ACTS_PER_ROUND), errors, lulls=3)


def _round(plan: Plan) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="siteswap-chaos-") as folder:
        try:
            return storm(Path(folder), plan)
        except AssertionError as error:
            return Verdict(wrong=[f"the round did not come to its end: {error!r}"])


def _print(number: int, plan: Plan, verdict: Verdict) -> None:
    errors = f", {plan.errors:.0%} store errors" if plan.errors else ""
    ends = ", ".join(f"{word} {count}" for word, count in sorted(verdict.ends.items()))
    print(f"{number:4} (seed {plan.seed}) {', '.join(plan.acts)}{errors}: {ends}", flush=True)
    for finding in verdict.findings:
        print(f"     {finding}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how many storms (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the first one (default: 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
