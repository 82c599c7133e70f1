"""``python -m tests.bench``: measure and print (``docs/performance.md`` explains it)."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from tests.bench import accepting, celery, engine, mocked, polling, real, verbs, waiting
from tests.bench.workplace import workplace

NAMES = ("engine", "verbs", "mocked", "real", "waiting", "accepting", "polling", "celery")
ENGINE_ROUNDS = 60
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
    if missing := _missing(wanted):
        print(f"not installed; try: apt-get install {' '.join(missing)}", file=sys.stderr)
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
            print(polling.report(place, options.rounds), flush=True)
        if "celery" in wanted:
            print(celery.report(place, options.rounds), flush=True)
    return 0


def _missing(wanted: Sequence[str]) -> list[str]:
    needed = {"wrk": {*NAMES} - {"engine", "verbs", "celery"}, "redis-server": {"celery"}}
    return [
        program
        for program, names in needed.items()
        if names & {*wanted} and shutil.which(program) is None
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="may stand several times")
    parser.add_argument("--seconds", type=int, default=3, help="of each load (default: 3)")
    parser.add_argument("--rounds", type=int, default=7, help="of each comparison (default: 7)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
