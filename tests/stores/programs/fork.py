"""Uses a store, forks, and goes on using the same object in both processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.stores.sqlite import SqliteStore
from tests.stores.suite import new

if __name__ == "__main__":
    store = SqliteStore(Path(sys.argv[1]))
    store.add(new("before"))
    child = os.fork()
    who = "parent" if child else "child"
    for number in range(20):
        store.add(new(f"{who} {number}"))
    seen = store.get("before") == new("before")
    store.close()
    status = 0
    if child:
        _, status = os.waitpid(child, 0)
    sys.exit(0 if seen and status == 0 else 1)
