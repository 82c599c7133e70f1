"""Adds runs and prints each id after ``add`` has returned, until it is killed."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from app.runs.stores.sqlite import SqliteStore
from tests.stores.suite import SOURCE, new

if __name__ == "__main__":
    store = SqliteStore(Path(sys.argv[1]))
    for number in itertools.count():
        store.add(new(f"run {number}"), SOURCE)
        print(f"run {number}", flush=True)
