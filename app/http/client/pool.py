"""Connections that wait for their next request, bounded in number and in age."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from app.config.tls import Tls
from app.http.client.connection import Connection
from app.http.url import Origin


class ConnectionKey(NamedTuple):
    """What a connection was opened for: only for the same it is used again."""

    origin: Origin
    is_guarded: bool
    tls: Tls | None = None


class IdlePool:
    """Keeps at most ``size`` idle connections, for any number of uses.

    The one used last is used first; when there are too many, the use that was not met for the
    longest time loses one. Safe to call from many threads or greenlets.
    """

    def __init__(self, size: int, max_age: float, clock: Callable[[], float]) -> None:
        self._size = size
        self._max_age = max_age
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._idle: dict[ConnectionKey, list[Connection]] = {}

    def take(self, use: ConnectionKey) -> Connection | None:
        """A connection that was open a moment ago, or ``None``; dead ones are closed."""
        oldest = self._clock() - self._max_age
        while connection := self._pop(use):
            if connection.idle_since >= oldest and connection.is_quiet:
                return connection
            connection.close()
        return None

    def put(self, use: ConnectionKey, connection: Connection) -> None:
        """Keep a connection, perhaps at the cost of another one."""
        connection.idle_since = self._clock()
        with self._lock:
            connections = self._idle.pop(use, [])
            connections.append(connection)
            self._idle[use] = connections
            self._count += 1
            longest_unused = next(iter(self._idle)) if self._count > self._size else None
        if longest_unused and (surplus := self._pop(longest_unused, 0)):
            surplus.close()

    def close(self) -> None:
        """Close every idle connection."""
        for use in list(self._idle):
            while connection := self._pop(use):
                connection.close()

    def _pop(self, use: ConnectionKey, position: int = -1) -> Connection | None:
        with self._lock:
            connections = self._idle.get(use)
            if connections is None:
                return None
            connection = connections.pop(position)
            self._count -= 1
            if not connections:
                del self._idle[use]
            return connection
