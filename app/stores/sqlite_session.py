"""One SQLite connection that performs operations in batches, each batch in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from app.errors import Busy
from app.stores.sqlite_file import connect

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]
Begin = Callable[[sqlite3.Connection], None]

_UNFIT = (
    ValueError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""Raised for a value that SQLite cannot keep: its statement failed, the transaction did not."""


class SqliteSession:
    """A :class:`~app.stores.batcher.Session` on one file.

    The connection is opened by the first batch, and anew by the batch after a failure, so that
    everything heals without a restart: a full disk, a damaged file put back, a lock.
    """

    def __init__(self, path: Path, begin: Begin, *, lock_timeout: float) -> None:
        self._path = path
        self._begin = begin
        self._lock_timeout = lock_timeout
        self._connection: sqlite3.Connection | None = None

    def perform(self, operations: Sequence[Operation[Any]]) -> Sequence[Any]:
        """Perform all operations and commit; an operation's own error is its answer.

        Raises:
            Busy: SQLite could not do it now; nothing has changed.
        """
        try:
            return self._transact(operations)
        except sqlite3.Error as error:
            self.close()
            raise Busy("the store cannot be used now") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, which rolls back what was not committed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, operations: Sequence[Operation[Any]]) -> Sequence[Any]:
        if self._connection is None:
            self._connection = connect(self._path, self._lock_timeout)
        self._begin(self._connection)
        answers = [_attempt(operation, self._connection) for operation in operations]
        self._connection.execute("COMMIT")
        return answers


def begin_read(connection: sqlite3.Connection) -> None:
    """Start a transaction that sees one state of the file; its first query takes the lock."""
    connection.execute("BEGIN")


def begin_write(connection: sqlite3.Connection, *, lock_timeout: float) -> None:
    """Take the write lock at once: to read first would fail when another process then writes.

    SQLite's own waiting pauses longer with every try, up to 100 ms, so that a process hardly ever
    meets the moment between two commits of a busy neighbour. A constant millisecond makes several
    processes equal. SQLite does the pausing, as ``time.sleep`` is gevent's in a patched process.
    """
    connection.execute("PRAGMA busy_timeout = 1")
    _begin_immediate(connection, time.monotonic() + lock_timeout)
    # The commit waits for readers as long as it must.
    connection.execute(f"PRAGMA busy_timeout = {round(lock_timeout * 1000)}")


def _begin_immediate(connection: sqlite3.Connection, deadline: float) -> None:
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            is_locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_locked or time.monotonic() >= deadline:
                raise


def _attempt(operation: Operation[T], connection: sqlite3.Connection) -> T | Exception:
    try:
        return operation(connection)
    except _UNFIT as error:
        return error
