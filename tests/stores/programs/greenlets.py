"""Hammers the store from 200 greenlets; prints the longest stall and how many lives went right.

It prints ``ready`` and waits for a line, prints ``waiting`` when all greenlets are under way, and
``release`` a second later. To be run by ``python -m gevent.monkey --module``.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import gevent
from gevent.pool import Pool

from app.native_threads import native_offload
from app.runs.run import Outcome, Status
from app.runs.stores.sqlite import SqliteStore
from tests.stores.suite import SOURCE, new

GREENLETS = 200


def live(store: SqliteStore, number: int) -> bool:
    """One whole life of one run; tells whether every answer was right."""
    run_id = f"run {number}"
    store.add(new(run_id, run_id), SOURCE)
    claimed = store.claim(run_id, "one", 2.0)
    outcome = Outcome(Status.FINISH, run_id)
    happened = store.complete(run_id, claimed and claimed.claim, outcome, 3.0)
    ended = store.get(run_id)
    return (
        happened
        and claimed is not None
        and claimed.payload == run_id
        and ended is not None
        and ended.outcome == outcome
    )


def tick(done: threading.Event) -> float:
    """Wake up every few milliseconds; the longest pause in seconds."""
    began = before = time.monotonic()
    longest, is_released = 0.0, False
    print("waiting", flush=True)
    while not done.is_set():
        gevent.sleep(0.005)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
        if not is_released and now - began > 1:
            print("release", flush=True)
            is_released = True
    return longest


if __name__ == "__main__":
    store = SqliteStore(Path(sys.argv[1]), timeout=20, offload=native_offload(2))
    done = threading.Event()
    print("ready", flush=True)
    sys.stdin.readline()
    callers = Pool(GREENLETS)
    lives = [callers.spawn(live, store, number) for number in range(GREENLETS)]
    ticker = gevent.spawn(tick, done)
    right = sum(one.get() for one in lives)
    done.set()
    store.close()
    print(ticker.get(), right, flush=True)
