"""A transaction: from its first statement to its commit, each within its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, CursorResult
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.database.contract import DatabaseError, Query, QueryResult, TransactionOptions
from app.database.kind import DatabaseKind
from app.database.values import UnreadableValueError, json_rows
from app.database.watchdog import cut_off

GRACE_SECONDS = 0.2
"""How much later than its end a statement is cut off that the database did not end itself."""
ROLLBACK_SECONDS = 1.0
"""For what is done after the end: a connection that takes longer is closed instead."""

_UNFIT = (OverflowError, ValueError, TypeError, UnicodeError)
"""What drivers raise for values that they cannot send."""
_NOT_SENT = "a parameter is of a type or size that the database does not have"
_BAD_OPTION = "the driver does not know an option after the `?` of the url"
_ENDED = "an error before has ended the transaction"
_DOUBTFUL = "the connection was lost during the commit: nobody knows whether it was done"


class _NewError(Protocol):
    def __call__(self, kind: str, text: str) -> DatabaseError: ...


class OpenTransaction:
    """A :class:`app.database.contract.DatabaseSession` on one connection.

    ``connect`` gives that, before a time on the monotonic clock; ``new_error`` names the database.
    """

    def __init__(
        self,
        kind: DatabaseKind,
        terms: TransactionOptions,
        connect: Callable[[float], Connection],
        new_error: _NewError,
        *,
        read_only: bool,
    ) -> None:
        self._kind = kind
        self._terms = terms
        self._connect = connect
        self._error = new_error
        self._read_only = read_only
        self._has_begin = terms.undoable or kind.needs_begin
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
                raise self._error("sql", _ENDED)
            if self._terms.forgiving:
                self._kind.protect(self._connection)
            try:
                return self._run(query)
            except Exception as error:
                self._is_over = not self._recovers(error)
                raise

    def _begin(self) -> None:
        """Take a connection and begin.

        One that was kept may have been closed by the database meanwhile. Nothing has happened by
        then, so it is all done again with a new one.
        """
        with self._within_time():
            for is_new in (False, True):
                self._connection = self._connected()
                try:
                    self._send_begin()
                    return
                except BaseException as error:
                    self._connection.invalidate()
                    self._connection.close()
                    if is_new or not self._was_stale(error):
                        raise

    def _was_stale(self, error: BaseException) -> bool:
        is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        return is_lost and time.monotonic() < self._end

    def _connected(self) -> Connection:
        try:
            return self._connect(self._end)
        except TypeError:
            raise self._error("connection", _BAD_OPTION) from None
        except OSError as error:
            raise self._error("connection", error.strerror or type(error).__name__) from None
        except RuntimeError as error:
            raise self._error("connection", str(error)) from None

    def _send_begin(self) -> None:
        if self._has_begin:
            with self._cut_off():
                seconds = self._seconds()
                self._kind.begin(self._connection, seconds, read_only=self._read_only)

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
            except _UNFIT:
                raise self._error("sql", _NOT_SENT) from None
            try:
                return _answer(result, query.max_rows)
            finally:
                result.close()

    def _recovers(self, error: Exception) -> bool:
        if not self._terms.forgiving or self._connection.invalidated:
            return False
        fault = self._kind.fault(getattr(error, "orig", None) or error)
        return self._kind.recover(self._connection, fault)

    def _commit(self) -> None:
        if not self._has_begin:
            return
        with self._within_time():
            if self._is_over:
                raise self._error("sql", _ENDED)
            try:
                with self._cut_off():
                    self._connection.exec_driver_sql("COMMIT")
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise self._error("sql", _DOUBTFUL) from None
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
        """What drivers and libraries raise, as errors of the database."""
        seconds = self._terms.seconds_left()
        if seconds <= 0:
            raise self._error("timeout", "there was no time left")
        self._end = time.monotonic() + seconds
        try:
            yield
        except DBAPIError as error:
            raise self._translated(error) from None
        except UnreadableValueError as error:
            raise self._error("sql", str(error)) from None
        except SQLAlchemyError as error:
            raise self._error("connection", type(error).__name__) from None

    def _translated(self, error: DBAPIError) -> DatabaseError:
        fault = self._kind.fault(error.orig or error)
        is_late = time.monotonic() >= self._end and fault.kind in ("connection", "conflict")
        if fault.kind == "timeout" or is_late:
            return self._error("timeout", "it took too long and was ended")
        kind = "connection" if error.connection_invalidated else fault.kind
        return self._error(kind, fault.text)

    @contextmanager
    def _cut_off(self) -> Iterator[None]:
        raw = self._connection.connection.driver_connection
        descriptor = self._kind.descriptor(raw)
        if descriptor is None:
            yield
            return
        with cut_off(descriptor, self._seconds() + GRACE_SECONDS):
            yield

    def _seconds(self) -> float:
        return max(0.001, self._end - time.monotonic())


def _doubled(text: str) -> str:
    return text.replace("%", "%%")


def _answer(result: CursorResult[Any], max_rows: int) -> QueryResult:
    count = max(0, result.rowcount)
    if not result.returns_rows:
        return QueryResult(None, [], count)
    columns = tuple(result.keys())
    if not max_rows:
        return QueryResult(columns, [], count)
    return QueryResult(columns, json_rows(columns, result.fetchmany(max_rows + 1)), count)
