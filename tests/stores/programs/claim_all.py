"""Waits for a line, then claims the runs ``run 0`` … ``run N-1`` and prints those it got."""

from __future__ import annotations

import sys
from pathlib import Path

from app.runs.stores.sqlite import SqliteStore

if __name__ == "__main__":
    store = SqliteStore(Path(sys.argv[1]), timeout=30)
    print("ready", flush=True)
    sys.stdin.readline()
    ids = [f"run {number}" for number in range(int(sys.argv[2]))]
    claimed = [run_id for run_id in ids if store.claim(run_id, "one", 2.0)]
    store.close()
    print(*claimed, sep=",", flush=True)
