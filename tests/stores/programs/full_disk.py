"""Lets no file grow for a while, as a full disk would, and prints what each write came to."""

from __future__ import annotations

import resource
import sys
from contextlib import closing
from pathlib import Path

from app.errors import Busy
from app.runs.stores.sqlite import SqliteStore
from tests.stores.calls import WRITES, content, furnish


def limit_files(size: int) -> None:
    """Set how large, in bytes, a file of this process may become."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def try_on_full_disk(store: SqliteStore, name: str) -> str:
    """What the call came to: ``busy`` without a disk, without a trace, and then it works."""
    furnish(store)
    before = content(store)
    limit_files(0)
    try:
        WRITES[name](store)
        return "done on a full disk"
    except Busy:
        pass
    finally:
        limit_files(resource.RLIM_INFINITY)
    if content(store) != before:
        return "half done"
    WRITES[name](store)
    return "busy" if content(store) != before else "not done later"


if __name__ == "__main__":
    for name in WRITES:
        with closing(SqliteStore(Path(sys.argv[1]) / f"{name}.db")) as store:
            answer = try_on_full_disk(store, name)
        print(name, answer, flush=True)
