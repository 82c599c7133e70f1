"""What a kind of database has to offer, and what the kinds share: their engine and the watchdog."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from app.database.contract import DatabaseError
from app.language.services.database import Location

CONNECT_UNTIL: ContextVar[float] = ContextVar("connect_until")
"""When the transaction that opens a connection runs out of time, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What a pool of connections depends on: while this stays the same, so does the pool."""

    location: Location
    pool_size: int
    read_only: bool


class DatabaseKind:
    """One kind of database, whose connections are in autocommit mode: we begin and end ourselves.

    Errors of the driver pass through all methods.
    """

    style: ClassVar[str] = "%({})s"
    """How the driver writes a parameter."""

    needs_begin: ClassVar[bool] = True
    """Whether a statement alone is put into a transaction too, also when nothing follows. With a
    network between, its outcome can then be unknown only if the commit fails."""

    def engine(self, options: PoolOptions) -> Engine:
        """An engine that opens connections when they are needed."""
        raise NotImplementedError

    def begin(self, connection: Connection, seconds: float, *, read_only: bool) -> None:
        """Begin a transaction whose first statement may take ``seconds``."""
        raise NotImplementedError

    def bound(self, connection: Connection, seconds: float) -> None:
        """Let the database end the next statement when it takes longer than ``seconds``."""
        raise NotImplementedError

    def protect(self, connection: Connection) -> None:
        """Set a savepoint, where a statement that fails does not undo itself alone."""

    def recover(self, connection: Connection, fault: DatabaseError) -> bool:
        """Go back to before the statement that failed; returns whether the transaction goes on."""
        raise NotImplementedError

    def descriptor(self, raw: Any) -> int | None:
        """The file descriptor of a connection's socket, if it has one."""
        return None

    def fault(self, error: BaseException) -> DatabaseError:
        """What an error of the driver means."""
        raise NotImplementedError


def new_engine(url: str | URL, options: PoolOptions, **more: Any) -> Engine:
    """An engine with a pool of connections in autocommit mode."""
    return create_engine(
        url,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        **more,
    )


def server_engine(
    driver: str,
    options: PoolOptions,
    connect: Callable[[dict[str, Any], float], Any],
    query: Mapping[str, str],
    **more: Any,
) -> Engine:
    """An engine for a server.

    ``connect`` gets the arguments of the driver's own ``connect`` and the seconds left. It returns
    a connection, or ``None`` if the driver is to open it. ``query`` are defaults of the url's
    options.
    """
    at = options.location
    query = {**query, **at.options}
    url = URL.create(driver, at.username, at.password, at.host, at.port, at.name, query)
    engine = new_engine(url, options, **more)

    @event.listens_for(engine, "do_connect")
    def do_connect(_dialect: Any, _record: Any, _args: Any, arguments: dict[str, Any]) -> Any:
        return connect(arguments, CONNECT_UNTIL.get() - time.monotonic())

    return engine


@contextmanager
def cut_off(descriptor: int, seconds: float) -> Iterator[None]:
    """Shut a socket down if the block takes longer than ``seconds``: the last bound of a wait.

    A read that waits for it then meets its end, whatever library does it and however silent the
    other side is. The descriptor may be closed or wrapped in TLS meanwhile.
    """
    wire = socket.socket(fileno=os.dup(descriptor))
    timer = threading.Timer(max(0.0, seconds), _shut_down, [wire])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        wire.close()


def _shut_down(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
