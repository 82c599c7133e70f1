"""Connections to Celery's broker, for those who send: quick to give up, and never an error."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from celery import Celery

TASK = "siteswap.execute"
QUEUE = "siteswap"

FIRST, LAST = 0, 9
"""Priorities, as Redis counts them. RabbitMQ ignores them in a queue that was not made for them."""

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 1.5
"""How long a sender waits for the broker."""

PAUSE = 2.0
"""Seconds for which a broker that failed is not tried again, so that no caller waits for it."""

CONNECTIONS = 8
"""Of one process at most: callers take turns on them."""

_log = logging.getLogger(__name__)


class Broker:
    """Connections for sending, each used by one caller at a time; it never raises.

    Celery's own pool would have the callers wait for each other's timeouts, and retry.
    """

    def __init__(self, celery: Celery, monotonic: Callable[[], float]) -> None:
        self._celery = celery
        self._monotonic = monotonic
        self._breaker = Breaker(PAUSE, monotonic)
        self._turns = threading.BoundedSemaphore(CONNECTIONS)
        self._idle: list[Any] = []
        self._process = os.getpid()

    @property
    def is_down(self) -> bool:
        """Whether the last attempt failed."""
        return self._breaker.is_open

    def send(self, run_id: str, *, first: bool = False) -> None:
        """Send a message, ``first`` before those that wait, or leave it to the reaper."""
        self._attempt(partial(_send, self._celery, run_id, FIRST if first else LAST))

    def depth(self) -> int | None:
        """How many messages wait, or ``None`` if the broker cannot be asked now."""
        depth: int | None = self._attempt(_depth)
        return depth

    def close(self) -> None:
        """Close the connections that are not in use."""
        while (connection := self._take_idle()) is not None:
            _close(connection)

    def _attempt(self, operation: Callable[[Any], Any]) -> Any:
        ticket = self._breaker.admit()
        if ticket is None:
            return None
        with self._turns:
            # While this one waited for its turn, another may have found the broker dead.
            if not self._breaker.is_valid(ticket):
                return None
            try:
                answer = self._perform(operation)
            except Exception as error:  # noqa: BLE001 - whatever it is, the store has the run
                if self._breaker.fail():
                    _log.warning("the broker cannot be used: %s", type(error).__name__)
                return None
        if self._breaker.succeed():
            _log.warning("the broker can be used again")
        return answer

    def _perform(self, operation: Callable[[Any], Any]) -> Any:
        connection = self._take_idle()
        if connection is not None:
            begun = self._monotonic()
            try:
                return self._use(connection, operation)
            except Exception:
                # What fails at once was closed at the other end while it was idle, as the others
                # will have been; what takes its time hangs, and so would a new one.
                if self._monotonic() - begun > CONNECT_SECONDS / 2:
                    raise
                self.close()
        return self._use(_connect(self._celery), operation)

    def _use(self, connection: Any, operation: Callable[[Any], Any]) -> Any:
        try:
            answer = operation(connection)
        except BaseException:
            _close(connection)
            raise
        self._idle.append(connection)
        return answer

    def _take_idle(self) -> Any:
        if self._process != os.getpid():
            # They are the parent's, and to close them here would disturb it.
            self._idle, self._process = [], os.getpid()
        with suppress(IndexError):
            return self._idle.pop()
        return None


def _connect(celery: Celery) -> Any:
    connection = celery.connection_for_write(
        connect_timeout=CONNECT_SECONDS, transport_options=_sending(celery.conf.broker_url)
    )
    try:
        return connection.ensure_connection(max_retries=0, timeout=CONNECT_SECONDS)
    except BaseException:
        _close(connection)
        raise


def _close(connection: Any) -> None:
    with suppress(Exception):
        connection.release()


def _send(celery: Celery, run_id: str, priority: int, connection: Any) -> None:
    celery.send_task(
        TASK,
        (run_id,),
        priority=priority,
        connection=connection,
        retry=False,
        ignore_result=True,
        confirm_timeout=ANSWER_SECONDS,
    )


def _depth(connection: Any) -> int:
    with connection.channel() as channel:
        try:
            count: int = channel.queue_declare(queue=QUEUE, passive=True).message_count
        except connection.channel_errors:
            # There is no such queue before its first message; Redis drops it after the last.
            return 0
        return count


def is_redis(url: str) -> bool:
    """Whether this broker is a Redis; otherwise it speaks AMQP."""
    return url.startswith("redis")


def _sending(broker_url: str) -> dict[str, Any]:
    """What the connections of those who send need: they wait for no retries."""
    retries = {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    if is_redis(broker_url):
        return {
            **retries,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
        }
    return {**retries, "confirm_publish": True}


class Breaker:
    """Admits those who want to try something; after a failure, one of them per ``pause`` seconds.

    Who was admitted says how it went, or nothing if it never tried.
    """

    def __init__(self, pause: float, monotonic: Callable[[], float]) -> None:
        self._pause = pause
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failed_at: float | None = None
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether it failed, and has not worked since."""
        return self._failed_at is not None

    def admit(self) -> int | None:
        """A ticket, or ``None`` during the pause. Who gets one after it tries for all others."""
        with self._lock:
            now = self._monotonic()
            if self._failed_at is not None:
                if now - self._failed_at < self._pause:
                    return None
                self._failed_at = now
            return self._failures

    def is_valid(self, ticket: int) -> bool:
        """Whether nothing has failed since this ticket was given."""
        return ticket == self._failures

    def fail(self) -> bool:
        """It did not work: the pause begins. Returns whether it had worked before."""
        with self._lock:
            is_first = self._failed_at is None
            self._failed_at = self._monotonic()
            self._failures += 1
            return is_first

    def succeed(self) -> bool:
        """It worked: everybody is admitted. Returns whether it had failed before."""
        with self._lock:
            had_failed = self._failed_at is not None
            self._failed_at = None
            return had_failed
