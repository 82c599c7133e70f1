"""Where calls that block the whole thread (SQLite, fsync) run, so that greenlets are not stalled.

Under gevent every greenlet of a process shares one thread: while a C library waits in it, nothing
else of that process moves. An :class:`Offload` runs such a call on a native thread and lets the
other greenlets go on. In a process that gevent has not patched there is nothing to protect.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """Runs a function to its end, perhaps on another native thread, and returns what it returns.

    The function must not raise (gevent prints what a pool thread raises) and must not touch locks
    or queues of the ``threading`` module: those belong to the greenlets that wait for it.
    """

    def __call__(self, function: Callable[[], T], /) -> T: ...


def direct(function: Callable[[], T], /) -> T:
    """Run the function in the calling thread."""
    return function()


def native_offload(threads: int) -> Offload:
    """An offload for this process, with up to ``threads`` native threads, started when needed.

    Call it in the process and thread whose greenlets will use it, after any patching: the pool
    belongs to the event loop it is made in. It is a pool of its own because gevent's common one
    also resolves host names, and slow name servers must not delay a commit.
    """
    if not _gevent_has_patched_threading():
        return direct
    from gevent.threadpool import ThreadPool

    pool = ThreadPool(threads)

    def offload(function: Callable[[], T], /) -> T:
        result: T = pool.apply(function)
        return result

    return offload


def _gevent_has_patched_threading() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
