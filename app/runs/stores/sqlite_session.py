"""One SQLite connection that performs operations in batches, each batch in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from app.errors import Busy
from app.runs.stores.sqlite_file import connect, is_locked
from app.runs.stores.sqlite_schema import SCHEMA_VERSION, version_and_size

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]

READ = ("BEGIN", "PRAGMA user_version")
"""Begins a batch that sees one state of the file; the second statement takes the lock."""

WRITE = ("BEGIN IMMEDIATE",)
"""Begins a batch that writes. It takes the lock at once: a transaction that reads first and then
wants to write fails, whatever it would wait, when another process has written in between."""

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
    """A :class:`~app.runs.stores.batcher.BatchSession` on one file; ``begin`` is READ or WRITE.

    The connection is opened by the first batch, and anew by the batch after a failure, so that
    everything heals without a restart: a full disk, a damaged file put back, a lock.
    """

    def __init__(self, path: Path, begin: Sequence[str], *, lock_timeout: float) -> None:
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
        is_new = self._connection is None
        connection = self._connection or connect(self._path, self._lock_timeout)
        self._connection = connection
        self._begin_batch(connection)
        if is_new:
            _check_version(connection)
        answers = [_attempt(operation, connection) for operation in operations]
        connection.execute("COMMIT")
        return answers

    def _begin_batch(self, connection: sqlite3.Connection) -> None:
        # SQLite's own waiting pauses longer with every try, up to 100 ms, and so hardly ever meets
        # the short moment between two commits of a busy process. A constant millisecond treats
        # all alike. SQLite does the pausing, as time.sleep is gevent's in a patched process.
        connection.execute("PRAGMA busy_timeout = 1")
        deadline = time.monotonic() + self._lock_timeout
        for statement in self._begin:
            _insist(connection, statement, deadline)
        # The commit waits for readers in SQLite's own way: it lets no new ones in meanwhile.
        connection.execute(f"PRAGMA busy_timeout = {round(self._lock_timeout * 1000)}")


def _check_version(connection: sqlite3.Connection) -> None:
    # The file was there when the store was made. Whatever took its place since is not touched.
    version, _ = version_and_size(connection)
    if version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"the file has schema version {version}")


def _insist(connection: sqlite3.Connection, statement: str, deadline: float) -> None:
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise


def _attempt(operation: Operation[T], connection: sqlite3.Connection) -> T | Exception:
    try:
        return operation(connection)
    except _UNFIT as error:
        return error
