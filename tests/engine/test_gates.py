"""Gates: no more inside than allowed, and those who wait come in by their turn."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.runtime.limiter import ConcurrencyLimiter, ConcurrencyLimiters
from tests.blackbox.client import eventually

PATCHED = """
from gevent import monkey
monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(["-q", sys.argv[1], "-k", "not patched"]))
"""


def waiting(gate: ConcurrencyLimiter) -> int:
    """How many stand in line."""
    return len(gate._waiting)


def test_no_more_inside_than_the_limit() -> None:
    """Under many threads, counted by those who are inside."""
    gate, lock, inside, most = ConcurrencyLimiter(), threading.Lock(), 0, 0

    def visit(_: int) -> bool:
        nonlocal inside, most
        assert gate.enter(3, 20)
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.001)
        with lock:
            inside -= 1
        gate.leave()
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(visit, range(200)))
    assert most == 3


def in_line(
    gate: ConcurrencyLimiter, pool: ThreadPoolExecutor, visits: list[Callable[[], None]]
) -> None:
    """Start visits one after the other, each once the one before stands in line."""
    for number, visit in enumerate(visits, start=1):
        pool.submit(visit)
        eventually(lambda: waiting(gate), number.__eq__)


def test_first_come_first_served() -> None:
    """Whoever has waited longest is next."""
    gate, order = ConcurrencyLimiter(), list[int]()

    def visit(number: int) -> None:
        assert gate.enter(1, 10)
        order.append(number)
        gate.leave()

    assert gate.enter(1, 0)
    with ThreadPoolExecutor(5) as pool:
        in_line(gate, pool, [lambda number=number: visit(number) for number in range(5)])
        gate.leave()
    assert order == [0, 1, 2, 3, 4]


def test_who_waits_in_vain_leaves_no_gap() -> None:
    """After a time-out the place is for the next, and the count is right."""
    gate = ConcurrencyLimiter()
    assert gate.enter(1, 0)
    assert not gate.enter(1, 0.01)
    assert waiting(gate) == 0
    gate.leave()
    assert gate.enter(1, 0)
    assert not gate.enter(1, 0)


def test_nobody_overtakes_the_line() -> None:
    """A place that becomes free is not for somebody who just comes by."""
    gate = ConcurrencyLimiter()
    assert gate.enter(1, 0)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gate.enter, 1, 10)
        eventually(lambda: waiting(gate), (1).__eq__)
        gate.leave()
        assert not gate.enter(1, 0)
        assert first.result()


def test_another_limit() -> None:
    """It holds from the next who enters or leaves: more come in at once, or fewer stay."""
    gate = ConcurrencyLimiter()
    assert gate.enter(1, 0)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(gate.enter, 1, 10)
        eventually(lambda: waiting(gate), (1).__eq__)
        assert gate.enter(3, 10)
        assert second.result()
    gate.leave()
    assert not gate.enter(2, 0)
    gate.leave()
    assert gate.enter(2, 0)


def test_a_gate_for_each_name() -> None:
    """One name does not wait for another, and a name has one gate."""
    limiters = ConcurrencyLimiters()
    assert limiters["a"].enter(1, 0)
    assert limiters["b"].enter(1, 0)
    assert not limiters["a"].enter(1, 0)


def test_the_same_where_gevent_has_patched() -> None:
    """There the locks are gevent's, and waiting lets others run."""
    done = subprocess.run(
        [sys.executable, "-c", PATCHED, __file__],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
