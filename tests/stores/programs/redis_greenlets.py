"""A thousand greenlets add a run each; says how many are there, and whether another went on."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from app.runs.stores.redis import RedisStore
from tests.stores.suite import SOURCE, new

store = RedisStore(sys.argv[1], retention=60, connections=4)
done = threading.Event()
turns = 0


def go_on() -> None:
    global turns
    while not done.wait(0.001):
        turns += 1


other = threading.Thread(target=go_on)
other.start()
with ThreadPoolExecutor(1000) as pool:
    list(pool.map(lambda number: store.add(new(f"run {number}"), SOURCE), range(1000)))
done.set()
other.join()
print(len(store.find(limit=2000)), turns > 10)
