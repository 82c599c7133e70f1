"""Lets no file grow beyond 200 kB for a while, as a full disk would, and prints what it saw."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from app.errors import Busy
from app.stores.sqlite import SqliteStore
from tests.stores.suite import new


def limit_files(size: int) -> None:
    """Set how large, in bytes, a file of this process may become."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


if __name__ == "__main__":
    store = SqliteStore(Path(sys.argv[1]))
    store.add(new("before"))
    limit_files(200_000)
    try:
        store.add(new("too large", "x" * 1_000_000))
    except Busy:
        print("busy")
    limit_files(resource.RLIM_INFINITY)
    store.add(new("after"))
    print([store.get(name) is not None for name in ("before", "too large", "after")])
    store.close()
