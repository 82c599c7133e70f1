"""The threads executor keeps the contract, within its bounds, and ends when it is told to."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import pytest

from app.errors import Busy
from app.runs.executor import Lane
from app.runs.executors.threads import ThreadsExecutor
from tests.executors.suite import LANE, PATIENCE, Executed, ExecutorSuite, Make


class TestThreadsExecutor(ExecutorSuite):
    """The suite, on two threads."""

    @pytest.fixture
    def make(self) -> Make:
        return partial(ThreadsExecutor, threads=2, queue_size=1)


class Gate:
    """Executes ids, each of which stays under way until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.executed: list[str] = []

    def execute(self, run_id: str) -> None:
        self.begun.release()
        assert self.go.acquire(timeout=PATIENCE)
        self.executed.append(run_id)


def submit(executor: ThreadsExecutor, *instance_ids: str, lane: Lane = LANE) -> None:
    """Reserve and hand over, as the service does."""
    for run_id in instance_ids:
        executor.reserve()
        executor.submit(run_id, lane)


def test_no_more_is_taken_than_there_are_places() -> None:
    """Threads and queue full is Busy, and a run that ends makes room for one more."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=2)
    submit(executor, "a", "b")
    executor.reserve()
    with pytest.raises(Busy, match="3 runs"):
        executor.reserve()
    executor.submit("c", LANE)
    assert gate.begun.acquire(timeout=PATIENCE)
    gate.go.release()
    assert gate.begun.acquire(timeout=PATIENCE)
    submit(executor, "d")
    with pytest.raises(Busy):
        executor.reserve()
    for _ in range(2):
        gate.go.release()
        assert gate.begun.acquire(timeout=PATIENCE)
    gate.go.release()
    executor.close(PATIENCE)
    assert gate.executed == ["a", "b", "c", "d"]


def test_one_lane_leaves_room_for_the_others() -> None:
    """A flow whose runs pile up is refused while another one still has its place."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=39)
    slow, other = Lane("slow/v1", 1), Lane("other/v1", 1)
    submit(executor, "slow", lane=slow)
    assert gate.begun.acquire(timeout=PATIENCE)
    for number in range(30):
        executor.reserve(slow.key)
        executor.submit(f"slow {number}", slow)
    with pytest.raises(Busy, match="of this flow"):
        executor.reserve(slow.key)
    submit(executor, "other", lane=other)
    executor.reserve(other.key)
    executor.cancel()
    for _ in range(32):
        gate.go.release()
    for _ in range(31):
        assert gate.begun.acquire(timeout=PATIENCE)
    executor.close(PATIENCE)


def test_as_many_run_at_once_as_there_are_threads() -> None:
    """Runs wait for each other only when all threads are taken."""
    meeting = threading.Barrier(3)
    executed = Executed()

    def execute(run_id: str) -> None:
        meeting.wait(PATIENCE)
        executed(run_id)

    executor = ThreadsExecutor(execute, threads=3, queue_size=3)
    submit(executor, "a", "b", "c", "d", "e", "f")
    executed.wait_for(6)
    executor.close(PATIENCE)
    assert not meeting.broken


def test_what_has_begun_before_goes_first() -> None:
    """A run that was taken over is not kept waiting by those of its flow that have not begun."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=5)
    submit(executor, "a")
    assert gate.begun.acquire(timeout=PATIENCE)
    submit(executor, "b", "c")
    executor.reserve()
    executor.submit("begun", LANE, first=True)
    gate.go.release(4)
    for _ in range(3):
        assert gate.begun.acquire(timeout=PATIENCE)
    executor.close(PATIENCE)
    assert gate.executed == ["a", "begun", "b", "c"]


def test_a_bug_is_logged_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in one run is logged with its traceback; its thread and its place serve the next."""
    executed = Executed()

    def execute(run_id: str) -> None:
        if run_id == "broken":
            raise ZeroDivisionError
        executed(run_id)

    executor = ThreadsExecutor(execute, threads=1, queue_size=1)
    submit(executor, "broken", "a")
    assert executed.wait_for(1) == ["a"]
    executor.close(PATIENCE)
    [record] = caplog.records
    assert "broken" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_no_thread_runs_before_the_first_submission() -> None:
    """An executor may be made before a fork; after close, none of its threads is left."""
    before = threading.active_count()
    executor = ThreadsExecutor(lambda _: None, threads=5, queue_size=5)
    executor.reserve()
    assert threading.active_count() == before
    executor.submit("a", LANE)
    executor.close(PATIENCE)
    assert threading.active_count() == before


def test_closing_waits_for_what_is_under_way() -> None:
    """Close lets runs under way end; what is queued, or comes later, is not begun any more."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=2)
    submit(executor, "a", "b")
    executor.reserve()
    assert gate.begun.acquire(timeout=PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(executor.close, PATIENCE)
        assert not wait([closing], timeout=0.05).done
        executor.submit("c", LANE)
        gate.go.release(3)
        assert closing.result()
    assert gate.executed == ["a"]


def test_closing_gives_up_in_time() -> None:
    """When the time is over close returns and says so; closing again waits for the rest."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=2)
    submit(executor, "a", "b")
    assert gate.begun.acquire(timeout=PATIENCE)
    assert not executor.close(0.01)
    gate.go.release(2)
    assert executor.close(PATIENCE)
    assert gate.executed == ["a"]


def test_a_lane_has_no_more_under_way_than_its_limit() -> None:
    """A flow whose runs are slow leaves the other threads to other flows, and then goes on."""
    gate, executed = Gate(), Executed()

    def execute(run_id: str) -> None:
        gate.execute(run_id) if run_id.startswith("slow") else executed(run_id)

    executor = ThreadsExecutor(execute, threads=3, queue_size=20)
    submit(executor, *(f"slow {number}" for number in range(4)), lane=Lane("slow", 2))
    submit(executor, "a", "b", "c", lane=Lane("quick", 5))
    assert executed.wait_for(3) == ["a", "b", "c"]
    for _ in range(2):
        assert gate.begun.acquire(timeout=PATIENCE)
    assert not gate.begun.acquire(timeout=0.05)
    gate.go.release(4)
    for _ in range(2):
        assert gate.begun.acquire(timeout=PATIENCE)
    assert executor.close(PATIENCE)
    assert sorted(gate.executed) == ["slow 0", "slow 1", "slow 2", "slow 3"]


def test_lanes_take_turns() -> None:
    """A flow that queued many runs first does not keep another waiting behind all of them."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=20)
    submit(executor, "a1", lane=Lane("a", 5))
    assert gate.begun.acquire(timeout=PATIENCE)
    submit(executor, "a2", "a3", "a4", lane=Lane("a", 5))
    submit(executor, "b1", lane=Lane("b", 5))
    gate.go.release(5)
    for _ in range(4):
        assert gate.begun.acquire(timeout=PATIENCE)
    executor.close(PATIENCE)
    assert gate.executed == ["a1", "a2", "b1", "a3", "a4"]


def test_what_it_does_not_have_is_lost() -> None:
    """It knows what is queued here or under way; the same id is not queued twice."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=3)
    submit(executor, "a", "b", "b")
    assert executor.lost(["a", "b", "c"]) == ["c"]
    gate.go.release(3)
    for _ in range(2):
        assert gate.begun.acquire(timeout=PATIENCE)
    assert executor.close(PATIENCE)
    assert executor.lost(["a", "b", "c"]) == ["a", "b", "c"]
    assert gate.executed == ["a", "b"]


PATCHED = """
import threading, time
from app.runs.executor import Lane
from app.runs.executors.threads import ThreadsExecutor
meeting, done = threading.Barrier(200), threading.Semaphore(0)
executor = ThreadsExecutor(
    lambda _: [meeting.wait(20), done.release()] and None, threads=200, queue_size=0
)
for number in range(200):
    executor.reserve()
    executor.submit(str(number), Lane("a", 200))
for number in range(200):
    done.acquire(timeout=20)
executor.close(20)
print(meeting.broken, len(threading.enumerate()))
"""


def test_it_runs_greenlets_where_threading_is_patched(tmp_path: Path) -> None:
    """Under gevent the same code runs greenlets, which wait for each other without blocking."""
    program = tmp_path / "program.py"
    program.write_text(PATCHED)
    done = subprocess.run(
        [sys.executable, "-m", "gevent.monkey", program],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False 1\n", "")
