"""One database: its pool, and its transactions, each statement within its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.database.contract import DatabaseError, Query, QueryResult, TransactionOptions
from app.database.kind import CONNECT_UNTIL, DatabaseKind, PoolOptions, cut_off
from app.database.values import UnreadableValueError, json_rows
from app.language.services.database import Database

GRACE_SECONDS = 0.2
"""How much later than its end a statement is cut off that the database did not end itself."""
ROLLBACK_SECONDS = 1.0
"""For what is done after the end: a connection that takes longer is closed instead."""

_BAD_VALUES = (OverflowError, ValueError, TypeError, UnicodeError)
"""What drivers raise for values that they cannot send."""
_NOT_SENT = "a parameter is of a type or size that the database does not have"
_BAD_OPTION = "the driver does not know an option after the `?` of the url"
_ENDED = "an error before has ended the transaction"
_DOUBTFUL = "the connection was lost during the commit: whether it was done is unknown"


class DatabasePool:
    """One database, by the ``name`` that messages call it. Opens nothing before it is used.

    ``declared`` is the entry of ``services.yaml`` that it was last found to fit.
    """

    declared: Database

    def __init__(self, name: str, options: PoolOptions, kind: DatabaseKind) -> None:
        self.options = options
        self.kind = kind
        self._name = name
        self._turns = threading.BoundedSemaphore(options.pool_size)
        self._engine = kind.engine(options)
        self._is_retired = False

    def retire(self) -> None:
        """Close every connection, those in use when their transactions end."""
        self._is_retired = True
        self._engine.pool.dispose()

    @contextmanager
    def session(self, options: TransactionOptions) -> Iterator[OpenTransaction]:
        """A transaction; see :meth:`app.database.contract.Databases.session`."""
        if not self._turns.acquire(timeout=max(0.0, options.seconds_left())):
            size = self.options.pool_size
            raise self.error("timeout", f"all {size} connections are in use; see `pool_size`")
        try:
            transaction = OpenTransaction(self, options)
            with transaction.carried_out():
                yield transaction
        finally:
            if self._is_retired:
                self._engine.pool.dispose()
            self._turns.release()

    def connect(self, end: float) -> Connection:
        """A kept connection, or a new one opened before ``end`` on the monotonic clock."""
        token = CONNECT_UNTIL.set(end)
        try:
            return self._engine.connect()
        except TypeError:
            raise self.error("connection", _BAD_OPTION) from None
        except OSError as error:
            raise self.error("connection", error.strerror or type(error).__name__) from None
        except RuntimeError as error:
            raise self.error("connection", str(error)) from None
        finally:
            CONNECT_UNTIL.reset(token)

    def error(self, kind: str, text: str) -> DatabaseError:
        """An error that names the database."""
        return DatabaseError(kind, f"database `{self._name}`: {' '.join(text.split())}")


class OpenTransaction:
    """A :class:`app.database.contract.DatabaseSession` on one connection of a pool."""

    def __init__(self, pool: DatabasePool, options: TransactionOptions) -> None:
        self._pool = pool
        self._kind = pool.kind
        self._options = options
        self._has_begin = options.undoable or pool.kind.needs_begin
        self._is_over = False
        self._end = 0.0

    @contextmanager
    def carried_out(self) -> Iterator[None]:
        """Commit when the block ends, roll back when it raises."""
        self._begin()
        try:
            yield
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._connection.close()

    def run(self, query: Query) -> QueryResult:
        """Carry out one statement; see :meth:`app.database.contract.DatabaseSession.run`."""
        with self._within_time():
            if self._is_over or self._connection.invalidated:
                raise self._pool.error("sql", _ENDED)
            if self._options.forgiving:
                self._kind.protect(self._connection)
            try:
                return self._run(query)
            except Exception as error:
                self._is_over = not self._recovers(error)
                raise

    def _begin(self) -> None:
        """Take a connection and begin.

        The database may have closed one that was kept. Nothing has happened by then, so it is all
        done again with a new one.
        """
        with self._within_time():
            for is_new in (False, True):
                self._connection = self._pool.connect(self._end)
                try:
                    if self._has_begin:
                        read_only = self._pool.options.read_only
                        with self._cut_off():
                            self._kind.begin(self._connection, self._seconds(), read_only=read_only)
                    return
                except BaseException as error:
                    self._connection.invalidate()
                    self._connection.close()
                    was_stale = isinstance(error, DBAPIError) and error.connection_invalidated
                    if is_new or not was_stale or time.monotonic() >= self._end:
                        raise

    def _run(self, query: Query) -> QueryResult:
        with self._cut_off():
            self._kind.bound(self._connection, self._seconds())
            style = self._kind.style
            text, values = query.statement.render(
                style.format, _doubled if "%" in style else str, query.values
            )
            is_portioned = bool(query.max_rows) and query.statement.only_reads
            options = {"yield_per": query.max_rows + 1} if is_portioned else {}
            try:
                result = self._connection.exec_driver_sql(text, values, execution_options=options)
            except _BAD_VALUES:
                raise self._pool.error("sql", _NOT_SENT) from None
            try:
                return _answer(result, query.max_rows)
            finally:
                result.close()

    def _recovers(self, error: Exception) -> bool:
        if not self._options.forgiving or self._connection.invalidated:
            return False
        fault = self._kind.fault(getattr(error, "orig", None) or error)
        return self._kind.recover(self._connection, fault)

    def _commit(self) -> None:
        if not self._has_begin:
            return
        with self._within_time():
            if self._is_over:
                raise self._pool.error("sql", _ENDED)
            try:
                with self._cut_off():
                    self._connection.exec_driver_sql("COMMIT")
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise self._pool.error("sql", _DOUBTFUL) from None
                raise

    def _roll_back(self) -> None:
        """Undo what was not committed; a connection that cannot do that is closed, which does."""
        if not self._has_begin or self._connection.invalidated:
            return
        try:
            self._end = time.monotonic() + ROLLBACK_SECONDS
            with self._cut_off():
                self._connection.exec_driver_sql("ROLLBACK")
        except Exception:  # noqa: BLE001 - whatever it is, the connection is not used again
            self._connection.invalidate()

    @contextmanager
    def _within_time(self) -> Iterator[None]:
        """Set the end of what follows; turn what drivers and libraries raise into our error."""
        seconds = self._options.seconds_left()
        if seconds <= 0:
            raise self._pool.error("timeout", "there was no time left")
        self._end = time.monotonic() + seconds
        try:
            yield
        except DBAPIError as error:
            raise self._translated(error) from None
        except UnreadableValueError as error:
            raise self._pool.error("sql", str(error)) from None
        except SQLAlchemyError as error:
            raise self._pool.error("connection", type(error).__name__) from None

    def _translated(self, error: DBAPIError) -> DatabaseError:
        fault = self._kind.fault(error.orig or error)
        is_late = time.monotonic() >= self._end and fault.kind in ("connection", "conflict")
        if fault.kind == "timeout" or is_late:
            return self._pool.error("timeout", "it took too long and was ended")
        kind = "connection" if error.connection_invalidated else fault.kind
        return self._pool.error(kind, fault.message)

    def _cut_off(self) -> AbstractContextManager[None]:
        raw = self._connection.connection.driver_connection
        descriptor = self._kind.descriptor(raw)
        if descriptor is None:
            return nullcontext()
        return cut_off(descriptor, self._seconds() + GRACE_SECONDS)

    def _seconds(self) -> float:
        return max(0.001, self._end - time.monotonic())


def _doubled(text: str) -> str:
    return text.replace("%", "%%")


def _answer(result: CursorResult[Any], max_rows: int) -> QueryResult:
    count = max(0, result.rowcount)
    if not result.returns_rows:
        return QueryResult(None, [], count)
    columns = tuple(result.keys())
    rows = result.fetchmany(max_rows + 1) if max_rows else []
    return QueryResult(columns, json_rows(columns, rows), count)
