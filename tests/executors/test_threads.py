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
from app.executors.threads import ThreadsExecutor
from tests.executors.suite import PATIENCE, ExecutorSuite, Make


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

    def execute(self, instance_id: str) -> None:
        self.begun.release()
        assert self.go.acquire(timeout=PATIENCE)
        self.executed.append(instance_id)


def submit(executor: ThreadsExecutor, *instance_ids: str) -> None:
    """Reserve and hand over, as the service does."""
    for instance_id in instance_ids:
        executor.reserve()
        executor.submit(instance_id)


def test_no_more_is_taken_than_there_are_places() -> None:
    """Threads and queue full is Busy, and a run that ends makes room for one more."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=2)
    submit(executor, "a", "b")
    executor.reserve()
    with pytest.raises(Busy, match="3 runs"):
        executor.reserve()
    executor.submit("c")
    assert gate.begun.acquire(timeout=PATIENCE)
    gate.go.release()
    assert gate.begun.acquire(timeout=PATIENCE)
    submit(executor, "d")
    with pytest.raises(Busy):
        executor.reserve()
    gate.go.release(3)
    executor.close(PATIENCE)
    assert gate.executed == ["a", "b", "c", "d"]


def test_as_many_run_at_once_as_there_are_threads() -> None:
    """Runs wait for each other only when all threads are taken."""
    meeting = threading.Barrier(3)

    def execute(instance_id: str) -> None:
        meeting.wait(PATIENCE)

    executor = ThreadsExecutor(execute, threads=3, queue_size=3)
    submit(executor, "a", "b", "c", "d", "e", "f")
    executor.close(PATIENCE)
    assert not meeting.broken


def test_a_bug_is_logged_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in one run is logged with its traceback; its thread and its place serve the next."""
    executed: list[str] = []

    def execute(instance_id: str) -> None:
        if instance_id == "broken":
            raise ZeroDivisionError
        executed.append(instance_id)

    executor = ThreadsExecutor(execute, threads=1, queue_size=1)
    submit(executor, "broken", "a")
    executor.close(PATIENCE)
    assert executed == ["a"]
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
    executor.submit("a")
    executor.close(PATIENCE)
    assert threading.active_count() == before


def test_closing_waits_for_what_was_accepted() -> None:
    """Close lets runs under way and queued ones end, and a reservation become a run."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=2)
    submit(executor, "a", "b")
    executor.reserve()
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(executor.close, PATIENCE)
        assert not wait([closing], timeout=0.05).done
        executor.submit("c")
        gate.go.release(3)
        closing.result()
    assert gate.executed == ["a", "b", "c"]


def test_closing_gives_up_in_time(caplog: pytest.LogCaptureFixture) -> None:
    """When the time is over close returns: the run under way goes on, queued ones are dropped."""
    gate = Gate()
    executor = ThreadsExecutor(gate.execute, threads=1, queue_size=2)
    submit(executor, "a", "b")
    assert gate.begun.acquire(timeout=PATIENCE)
    executor.close(0.01)
    gate.go.release(2)
    for thread in threading.enumerate():
        if thread.name == "executor":
            thread.join(PATIENCE)
    assert gate.executed == ["a"]
    assert "2 runs" in caplog.text


PATCHED = """
import threading, time
from app.executors.threads import ThreadsExecutor
meeting = threading.Barrier(200)
executor = ThreadsExecutor(lambda _: meeting.wait(20) and None, threads=200, queue_size=0)
for number in range(200):
    executor.reserve()
    executor.submit(str(number))
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
