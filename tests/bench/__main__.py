"""``python -m tests.bench``: measure and print (``docs/performance.md`` explains it)."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from tests.bench import accepting, engine, mocked, polling, real, scaling, verbs, waiting
from tests.bench.workplace import workplace

NAMES = ("engine", "verbs", "mocked", "real", "waiting", "accepting", "polling", "scaling")
ENGINE_ROUNDS = 60
SCALING_ROUNDS = 3
USAGE_ERROR = 2


def main() -> int:
    """Run what was asked for; returns the exit status."""
    options = _options()
    wanted = options.only or NAMES
    if "engine" in wanted:
        print(engine.report(ENGINE_ROUNDS), flush=True)
    if "verbs" in wanted:
        print(verbs.report(), flush=True)
    if set(wanted) <= {"engine", "verbs"}:
        return 0
    if shutil.which("wrk") is None:
        print("wrk is not installed; install it with: apt-get install wrk", file=sys.stderr)
        return USAGE_ERROR
    print(f"load average before: {os.getloadavg()[0]:.2f}\n", flush=True)
    with workplace() as place:
        if "mocked" in wanted:
            print(mocked.report(place, options.rounds, options.seconds), flush=True)
        if "real" in wanted:
            print(real.report(place, options.rounds, options.seconds), flush=True)
        if "waiting" in wanted:
            print(waiting.report(place), flush=True)
        if "accepting" in wanted:
            print(accepting.report(place, options.rounds, options.seconds), flush=True)
        if "polling" in wanted:
            print(polling.report(place, options.rounds, options.seconds), flush=True)
        if "scaling" in wanted:
            print(scaling.report(place, SCALING_ROUNDS), flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="may stand several times")
    parser.add_argument("--seconds", type=int, default=3, help="of each load (default: 3)")
    parser.add_argument("--rounds", type=int, default=7, help="of each comparison (default: 7)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
