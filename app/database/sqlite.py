"""SQLite files. The library blocks the thread it runs in, so its calls run on native threads.

There are as many threads as connections: a statement that waits for another connection's lock can
never keep that one from getting on.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import QueuePool

from app.database.contract import DatabaseError
from app.database.kind import DatabaseKind, PoolOptions, new_engine
from app.native_threads import Offload

T = TypeVar("T")

_STEPS_BETWEEN_LOOKS = 10_000
"""Virtual machine steps, some 0.2 ms, after which a statement looks at the clock."""

_READ_AT_ONCE = 200
"""Rows that come with the execution of a statement."""


class SqliteKind(DatabaseKind):
    """SQLite; relative paths start at ``root``. A statement that fails undoes itself."""

    style = ":{}"
    needs_begin = False

    def __init__(self, root: Path, new_offload: Callable[[int], Offload]) -> None:
        self._root = root
        self._new_offload = new_offload

    def engine(self, options: PoolOptions) -> Engine:
        uri = (self._root / options.location.name).absolute().as_uri()
        mode = "ro" if options.read_only else "rwc"
        offload = self._new_offload(options.pool_size)
        creator = partial(_connect, f"{uri}?mode={mode}", offload)
        return new_engine("sqlite://", options, creator=creator, poolclass=QueuePool)

    def begin(self, connection: Connection, seconds: float, *, read_only: bool) -> None:
        self.bound(connection, seconds)
        # A transaction that reads first and writes later can meet a lock it cannot wait for.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    def bound(self, connection: Connection, seconds: float) -> None:
        _raw(connection).bound(seconds)

    def recover(self, connection: Connection, fault: DatabaseError) -> bool:
        # A full disk and an interrupted change end the whole transaction.
        return _raw(connection).in_transaction

    def fault(self, error: BaseException) -> DatabaseError:
        name = getattr(error, "sqlite_errorname", "")
        text = f"{error} ({name})" if name else str(error)
        if isinstance(error, sqlite3.IntegrityError):
            return DatabaseError("integrity", text)
        if name.startswith("SQLITE_INTERRUPT"):
            return DatabaseError("timeout", "it was interrupted")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return DatabaseError("conflict", text)
        return DatabaseError("connection" if name.startswith("SQLITE_CANTOPEN") else "sql", text)


def _raw(connection: Connection) -> _OffloadedConnection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, _OffloadedConnection)
    return raw


def _connect(uri: str, offload: Offload) -> sqlite3.Connection:
    connect = partial(
        sqlite3.connect,
        uri,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        factory=partial(_OffloadedConnection, offload),
    )
    return _call(offload, connect)


def _call(offload: Offload, function: Callable[[], T]) -> T:
    """The function on a native thread; what it raises is raised here."""

    def attempt() -> tuple[T | None, BaseException | None]:
        try:
            return function(), None
        except Exception as error:  # noqa: BLE001 - carried over to the caller's thread
            return None, error

    result, error = offload(attempt)
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


class _OffloadedConnection(sqlite3.Connection):
    """A connection whose statements run on native threads, each until a time."""

    def __init__(self, offload: Offload, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.call = partial(_call, offload)
        self._end = float("inf")
        self.busy_timeout = ""
        self.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)

    def bound(self, seconds: float) -> None:
        """End the statements from here on when they take longer, also while they wait for locks."""
        self._end = time.monotonic() + seconds
        self.busy_timeout = f"PRAGMA busy_timeout = {max(1, round(seconds * 1000))}"

    def _is_late(self) -> bool:
        return time.monotonic() > self._end

    def cursor(self, *_: Any, **__: Any) -> _OffloadedCursor:  # type: ignore[override]
        return super().cursor(_OffloadedCursor)

    def close(self) -> None:
        self.call(super().close)


class _OffloadedCursor(sqlite3.Cursor):
    """Executes and reads the first rows at once: to change threads costs more than most of them."""

    connection: _OffloadedConnection

    def execute(self, sql: str, parameters: Any = ()) -> _OffloadedCursor:
        self._rows = self.connection.call(partial(self._execute, sql, parameters))
        self._has_more = len(self._rows) == _READ_AT_ONCE
        return self

    def _execute(self, sql: str, parameters: Any) -> list[Any]:
        super().execute(self.connection.busy_timeout)
        super().execute(sql, parameters)
        return [] if self.description is None else super().fetchmany(_READ_AT_ONCE)

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        missing = (size or 1) - len(self._rows)
        if missing > 0 and self._has_more:
            self._rows += self.connection.call(partial(super().fetchmany, missing))
        rows, self._rows = self._rows[:size], self._rows[size or 1 :]
        return rows

    def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows + self.connection.call(super().fetchall)

    def fetchone(self) -> Any:
        rows = self.fetchmany(1)
        return rows[0] if rows else None
