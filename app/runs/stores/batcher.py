"""Turns the requests of many callers into batches for one thread (group commit).

A durable SQLite commit costs about the same for one row as for fifty, and threads that compete for
SQLite's lock share it very unfairly. So each process has one thread that commits: it takes all
requests that came in meanwhile, performs them together, and then answers those who wait.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Any, Protocol

from app.errors import Busy
from app.native_threads import Offload

MAX_BATCH = 100
"""Requests in one batch: enough to make a commit cheap, few enough to keep it short."""

_log = logging.getLogger(__name__)


class BatchSession(Protocol):
    """What performs batches; used by one thread at a time. A request is whatever it understands."""

    def perform(self, requests: Sequence[Any]) -> Sequence[Any]:
        """One answer for each request, in order; an exception among them is raised to its caller.

        If it raises, it performed nothing, and every caller gets what it raised: ``Busy``, or a
        bug. It runs inside an :class:`~app.native_threads.Offload`, so it must not log.
        """

    def close(self) -> None:
        """Release what the session holds."""


class Batcher:
    """Performs requests in batches on one thread, which the first of them starts.

    ``open_session`` is called on that thread. ``timeout`` is how many seconds a request may wait
    for its batch to begin.
    """

    def __init__(
        self, open_session: Callable[[], BatchSession], *, timeout: float, offload: Offload
    ) -> None:
        self._open_session = open_session
        self._timeout = timeout
        self._offload = offload
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, request: Any) -> Any:
        """Have a request performed and return its answer.

        Raises:
            Busy: its batch did not begin in time, or the batcher is closed. The request was not
                performed and never will be.
        """
        answer = self._wait(self._enqueue(request))
        if isinstance(answer, Exception):
            # One failure may be the answer to many callers: none should see the others' tracebacks.
            raise answer.with_traceback(None)
        return answer

    def close(self) -> None:
        """Perform what was asked before, then end the thread and its session."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _enqueue(self, request: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise Busy("the store is closed")
            self._waiting.append((request, future))
            self._start_thread()
            self._changed.notify()
        return future

    def _wait(self, future: Future[Any]) -> Any:
        try:
            return future.result(self._timeout)
        except TimeoutError:
            if future.cancel():
                raise Busy("the store did not answer in time") from None
        return future.result()

    def _start_thread(self) -> None:
        if self._thread is None:
            # A daemon, so that a process which forgot to close can end. Nothing that was answered
            # is lost then: an answer follows the commit.
            self._thread = threading.Thread(target=self._serve, name="store-batcher", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        with closing(self._open_session()) as session:
            while batch := self._next_batch():
                begun = [job for job in batch if job[1].set_running_or_notify_cancel()]
                if begun:
                    self._perform(session, begun)

    def _next_batch(self) -> list[_Job]:
        """Wait for requests; no request means closed, with nothing left to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]

    def _perform(self, session: BatchSession, batch: list[_Job]) -> None:
        requests = [request for request, _ in batch]
        answers = self._offload(partial(_attempt, session, requests))
        if isinstance(answers, Exception):
            _report(answers)
            answers = [answers] * len(requests)
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)


_Job = tuple[Any, Future[Any]]


def _attempt(session: BatchSession, requests: Sequence[Any]) -> Sequence[Any] | Exception:
    try:
        return session.perform(requests)
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait
        return error


def _report(failure: Exception) -> None:
    if isinstance(failure, Busy):
        _log.warning("%s (%s)", failure.message, failure.__cause__)
    else:
        _log.error("a batch failed", exc_info=failure)
