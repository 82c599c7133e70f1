"""Every call of the contract once, on a store that was prepared for it: for tests of bad days."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.runs.store import Store
from tests.stores.suite import FINISH, MANY, SOURCE, begin, end, new, step

QUEUED = new("queued")
RUNNING = new("running", attempt=1, queued=False).claim


def furnish(store: Store) -> None:
    """Give an empty store something for each call to do."""
    store.add(QUEUED, SOURCE)
    assert begin(store, "running") == RUNNING
    store.record(RUNNING, step("0"))
    end(store, "ended", 3.0)
    store.beat("one", 1)


def content(store: Store) -> object:
    """All that a furnished store says, before and after any one of the calls."""
    ids = [each.id for each in store.find(limit=MANY)]
    runs = [(store.get(each), list(store.records(each))) for each in ids]
    return runs, store.owners(), store.source("digest")


WRITES: Mapping[str, Callable[[Store], object]] = {
    "add": lambda store: store.add(new("new"), SOURCE),
    "claim": lambda store: store.claim("queued", "one", 2.0),
    "record": lambda store: store.record(RUNNING, step("1")),
    "complete": lambda store: store.complete("running", RUNNING, FINISH, 3.0, new("then"), SOURCE),
    "cancel": lambda store: store.complete("queued", None, FINISH, 3.0),
    "release": lambda store: store.release(RUNNING),
    "beat": lambda store: store.beat("one", 2),
    "retire": lambda store: store.retire("one"),
    "adopt": lambda store: store.adopt([QUEUED.claim, RUNNING], "two"),
    "prune": lambda store: store.prune(MANY, 0, MANY),
}
"""Each changes what a furnished store holds."""

READS: Mapping[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("queued"),
    "records": lambda store: store.records("running"),
    "find": lambda store: store.find(limit=MANY),
    "source": lambda store: store.source("digest"),
    "owners": lambda store: store.owners(),
    "held": lambda store: store.held(["one"], MANY),
}
