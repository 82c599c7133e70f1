"""The batcher answers all who wait; who hears Busy instead was not served and never will be."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager

import pytest

from app.errors import Busy
from app.native_threads import direct
from app.runs.stores.batcher import MAX_BATCH, Batcher


class GatedSession:
    """Answers each number with its negative, a batch at a time, when the gate is open.

    A negative number is answered with an error; 13 makes the whole batch fail.
    """

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.performed: list[list[int]] = []
        self.is_closed = False

    def perform(self, requests: Sequence[int]) -> Sequence[int | Exception]:
        self.begun.release()
        self.gate.acquire()
        self.performed.append(list(requests))
        if 13 in requests:
            raise ZeroDivisionError
        return [-request if request >= 0 else ValueError(request) for request in requests]

    def close(self) -> None:
        self.is_closed = True


@contextmanager
def batching(session: GatedSession, timeout: float = 30.0) -> Iterator[tuple[Batcher, Executor]]:
    """A batcher on the session, and threads to ask it from."""
    batcher = Batcher(lambda: session, timeout=timeout, offload=direct)
    with ThreadPoolExecutor(2 * MAX_BATCH) as pool, closing(batcher):
        try:
            yield batcher, pool
        finally:
            session.gate.release(1000)


def test_a_request_that_has_not_begun_is_withdrawn() -> None:
    """Who hears Busy can rely on it: the request is not performed later."""
    session = GatedSession()
    with batching(session, timeout=0.05) as (batcher, pool):
        first = pool.submit(batcher.ask, 1)
        session.begun.acquire()
        with pytest.raises(Busy):
            batcher.ask(2)
        session.gate.release(2)
        assert first.result() == -1
        assert batcher.ask(3) == -3
    assert session.performed == [[1], [3]]


def test_a_request_that_has_begun_is_waited_for() -> None:
    """Who waits for a batch under way hears its answer, however late, and never Busy."""
    session = GatedSession()
    with batching(session, timeout=0.01) as (batcher, pool):
        first = pool.submit(batcher.ask, 1)
        session.begun.acquire()
        assert not wait([first], timeout=0.1).done
        session.gate.release()
        assert first.result() == -1


def test_requests_that_wait_together_are_performed_together() -> None:
    """What came in during a batch makes the next batches, none of them above the limit."""
    session = GatedSession()
    started = threading.Semaphore(0)
    count = MAX_BATCH + MAX_BATCH // 2

    def ask(number: int) -> object:
        started.release()
        return batcher.ask(number)

    with batching(session) as (batcher, pool):
        first = pool.submit(batcher.ask, 1000)
        session.begun.acquire()
        others = [pool.submit(ask, 100 + number) for number in range(count)]
        for _ in others:
            started.acquire()
        session.gate.release(1 + count)
        assert [other.result() for other in others] == [-100 - number for number in range(count)]
        assert first.result() == -1000
    assert len(session.performed) < count / 5
    assert max(map(len, session.performed)) <= MAX_BATCH


def test_an_error_is_the_answer_to_one_request_only() -> None:
    """A request that is answered with an error raises it; those beside it get their answers."""
    session = GatedSession()
    session.gate.release(3)
    with batching(session) as (batcher, pool):
        asked = [pool.submit(batcher.ask, number) for number in (1, -2, 3)]
        assert (asked[0].result(), asked[2].result()) == (-1, -3)
        with pytest.raises(ValueError, match="-2"):
            asked[1].result()


def test_a_bug_reaches_its_callers_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A batch that raises is logged with its traceback, and the next request is served."""
    session = GatedSession()
    session.gate.release(2)
    with batching(session) as (batcher, _):
        with pytest.raises(ZeroDivisionError):
            batcher.ask(13)
        assert batcher.ask(1) == -1
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


def test_closing_performs_what_was_asked_before() -> None:
    """Close waits for the requests in the queue, then closes the session."""
    session = GatedSession()
    with batching(session) as (batcher, pool):
        first = pool.submit(batcher.ask, 1)
        session.begun.acquire()
        closing_ = pool.submit(batcher.close)
        assert not wait([closing_], timeout=0.05).done
        session.gate.release()
        closing_.result()
    assert first.result() == -1
    assert session.is_closed


def test_a_closed_batcher_is_busy() -> None:
    """After close, a request is refused at once."""
    session = GatedSession()
    with batching(session) as (batcher, _):
        batcher.close()
        with pytest.raises(Busy, match="closed"):
            batcher.ask(1)
    assert session.performed == []


def test_no_thread_runs_before_the_first_request() -> None:
    """A batcher may be made before a fork: it starts its thread when it is first asked."""
    before = threading.active_count()
    batcher = Batcher(GatedSession, timeout=1.0, offload=direct)
    assert threading.active_count() == before
    batcher.close()
