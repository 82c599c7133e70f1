"""Makes a store, forks, uses it in both processes, and forks again: prints what each fork saw."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.runs.stores.sqlite import SqliteStore
from tests.stores.suite import SOURCE, new


def use(store: SqliteStore, who: str) -> None:
    """Add some runs."""
    for number in range(20):
        store.add(new(f"{who} {number}"), SOURCE)


def try_to_use(store: SqliteStore) -> None:
    """Print how the store refuses."""
    try:
        store.get("parent 0")
    except RuntimeError as error:
        print(error, flush=True)


if __name__ == "__main__":
    store = SqliteStore(Path(sys.argv[1]))
    if child := os.fork():
        use(store, "parent")
        os.waitpid(child, 0)
        if grandchild := os.fork():
            os.waitpid(grandchild, 0)
        else:
            try_to_use(store)
    else:
        use(store, "child")
    store.close()
