"""One database: its pool, and the life of a transaction from the first statement to its commit."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.database import Answer, DatabaseError, Query
from app.databases.cut_off import cut_off
from app.databases.kind import Fault, Kind, Plan
from app.databases.values import ValueProblemError, json_rows
from app.spec.database import Database, Location

GRACE_SECONDS = 0.2
"""How long after its time a statement is cut off that the database did not end itself."""

SecondsLeft = Callable[[], float]

_LOST = "the connection was lost while it was committed: nobody knows whether it happened"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a pool depends on; while it stays the same, so does the pool."""

    location: Location
    pool_size: int
    read_only: bool


class Source:
    """One database, by the ``name`` that messages call it. Opens nothing before it is used."""

    def __init__(self, name: str, identity: Identity, kind: Kind) -> None:
        self.name = name
        self.identity = identity
        self.kind = kind
        self._seconds_left: ContextVar[SecondsLeft] = ContextVar("seconds_left")
        self._turns = threading.BoundedSemaphore(identity.pool_size)
        self._engine = kind.engine(
            Plan(
                identity.location,
                identity.pool_size,
                identity.read_only,
                lambda: self._seconds_left.get()(),
            )
        )
        self._pool = self._engine.pool
        self._is_retired = False

    def retire(self) -> None:
        """Close every connection, those in use when they are given back."""
        self._is_retired = True
        self._pool.dispose()

    @contextmanager
    def session(
        self, database: Database, seconds_left: SecondsLeft, *, several: bool
    ) -> Iterator[SourceSession]:
        """A transaction; see :meth:`app.database.Databases.session`."""

        def bounded() -> float:
            """Seconds that a statement may take: the database has a limit of its own."""
            left = seconds_left()
            return left if database.timeout is None else min(left, database.timeout)

        if not self._turns.acquire(timeout=max(0.0, seconds_left())):
            size = self.identity.pool_size
            message = f"all {size} connections were in use; `pool_size` says how many there are"
            raise self.error("timeout", message)
        try:
            session = SourceSession(self, bounded, several=several)
            session.begin()
            yield from session.carried_out()
        finally:
            if self._is_retired:
                self._pool.dispose()
            self._turns.release()

    def connect(self, seconds_left: SecondsLeft) -> Connection:
        """A connection of the pool, or a new one."""
        token = self._seconds_left.set(seconds_left)
        try:
            return self._engine.connect()
        finally:
            self._seconds_left.reset(token)

    def error(self, kind: str, text: str) -> DatabaseError:
        """An error of this database."""
        return DatabaseError(kind, f"database `{self.name}`: {text}")


class SourceSession:
    """One transaction on one connection."""

    def __init__(self, source: Source, seconds_left: SecondsLeft, *, several: bool) -> None:
        self._source = source
        self._kind = source.kind
        self._seconds_left = seconds_left
        self._several = several
        self._has_begun = several or source.kind.needs_begin
        self._connection: Connection | None = None
        self._is_broken = False

    def begin(self) -> None:
        """Take a connection and begin.

        A kept connection may have been closed by the database since it was used; what happens
        before the first statement can always be done again on a new one.
        """
        with self._translated():
            try:
                self._begin()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                self._give_up()
                self._begin()

    def _begin(self) -> None:
        self._connection = self._source.connect(self._time)
        if self._has_begun:
            with self._cut_off():
                read_only = self._source.identity.read_only
                self._kind.begin(self._connection, self._time(), read_only=read_only)

    def carried_out(self) -> Iterator[SourceSession]:
        """Yield once; commit when that returns, roll back when it raises."""
        try:
            yield self
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        finally:
            if self._connection is not None:
                self._connection.close()

    def run(self, query: Query) -> Answer:
        """Carry out one statement; see :class:`app.database.Session`."""
        if self._is_broken:
            raise self._source.error("sql", "the transaction was ended by an error before")
        with self._translated(), self._cut_off():
            with self._savepoint():
                return self._run(query)

    def _run(self, query: Query) -> Answer:
        connection = self._open_connection()
        self._kind.bound(connection, self._time())
        text, values = query.statement.render(self._kind.style.format, self._literal, query.values)
        options: dict[str, Any] = {}
        if query.max_rows and query.statement.only_reads:
            options = {"yield_per": query.max_rows + 1}
        result = connection.exec_driver_sql(text, values, execution_options=options)
        try:
            return _answer(result, query.max_rows)
        finally:
            result.close()

    def _literal(self, text: str) -> str:
        return text.replace("%", "%%") if "%" in self._kind.style else text

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        """Undo a statement that failed, and nothing before it: someone may catch its error."""
        if not self._several:
            yield
            return
        connection = self._open_connection()
        connection.exec_driver_sql("SAVEPOINT siteswap")
        try:
            yield
        except Exception:
            self._is_broken = True
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT siteswap")
            self._is_broken = False
            raise
        connection.exec_driver_sql("RELEASE SAVEPOINT siteswap")

    def _commit(self) -> None:
        if not self._has_begun:
            return
        try:
            with self._cut_off():
                self._open_connection().exec_driver_sql("COMMIT")
        except (DBAPIError, DatabaseError) as error:
            pass
