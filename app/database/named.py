"""The databases of ``services.yaml``: a pool for each, made at first use, closed when it changes.

SQLAlchemy and the drivers are extras, so they are imported when a database is used.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from app.database.contract import DatabaseError, DatabaseSession, TransactionOptions
from app.expression import Scope
from app.language.services.database import BadUrlError, Database
from app.native_threads import Offload

if TYPE_CHECKING:
    from app.database.kind import DatabaseKind
    from app.database.source import DatabasePool, PoolIdentity


class NamedDatabases:
    """The databases of this process, for all of its runs: :class:`app.database.contract.Databases`.

    ``declared`` says what there is now, and ``scope`` has the values for addresses. Relative paths
    start at ``root``. ``new_offload`` gives so many native threads, for SQLite.
    """

    def __init__(
        self,
        declared: Callable[[], Mapping[str, Database]],
        scope: Callable[[], Scope],
        *,
        root: Path,
        new_offload: Callable[[int], Offload],
    ) -> None:
        self._declared = declared
        self._scope = scope
        self._root = root
        self._new_offload = new_offload
        self._lock = threading.Lock()
        self._sources: dict[str, tuple[Database, DatabasePool]] = {}

    def session(
        self, name: str | None, terms: TransactionOptions
    ) -> AbstractContextManager[DatabaseSession]:
        declared = self._declared()
        if name is None:
            name = _only(declared)
        if name not in declared:
            raise DatabaseError("sql", f"there is no database `{name}` in services.yaml")
        database = declared[name]
        return self._source(name, database).session(_bounded(terms, database.timeout))

    def prepare(self) -> None:
        """Import what the declared databases need: it takes half a second, while nobody waits."""
        for name, database in self._declared().items():
            with contextlib.suppress(DatabaseError):
                self._source(name, database)

    def refresh(self) -> None:
        """Close the pools of databases that are gone or are others now."""
        declared = self._declared()
        with self._lock:
            for name in list(self._sources):
                database = declared.get(name)
                if database is None or not self._is_current(name, database):
                    self._sources.pop(name)[1].retire()

    def close(self) -> None:
        """Close every connection, those in use when they are given back."""
        with self._lock:
            for _, source in self._sources.values():
                source.retire()
            self._sources.clear()

    def _source(self, name: str, database: Database) -> DatabasePool:
        known = self._sources.get(name)
        if known is not None and known[0] is database:
            return known[1]
        with self._lock:
            if name not in self._sources or not self._is_current(name, database):
                self._open(name, database)
            return self._sources[name][1]

    def _is_current(self, name: str, database: Database) -> bool:
        source = self._sources[name][1]
        try:
            is_same = source.identity == self._identity(database)
        except BadUrlError:
            return True
        self._sources[name] = (database, source)
        return is_same

    def _open(self, name: str, database: Database) -> None:
        from app.database.source import DatabasePool

        try:
            identity = self._identity(database)
        except BadUrlError as error:
            raise DatabaseError("connection", f"database `{name}`: {error.issue.message}") from None
        if name in self._sources:
            self._sources.pop(name)[1].retire()
        source = DatabasePool(name, identity, self._kind(identity.location.kind))
        self._sources[name] = (database, source)

    def _identity(self, database: Database) -> PoolIdentity:
        from app.database.source import PoolIdentity

        location = database.url.locate(self._scope())
        return PoolIdentity(location, database.pool_size, database.read_only)

    def _kind(self, name: str) -> DatabaseKind:
        if name == "postgresql":
            from app.database.postgresql import PostgresqlKind

            return PostgresqlKind()
        if name == "sqlite":
            from app.database.sqlite import SqliteKind

            return SqliteKind(self._root, self._new_offload)
        from app.database.mysql import MysqlKind

        return MysqlKind()


def _only(declared: Mapping[str, Database]) -> str:
    if len(declared) == 1:
        return next(iter(declared))
    raise DatabaseError("sql", f"services.yaml names {len(declared)} databases: say `database`")


def _bounded(terms: TransactionOptions, timeout: float | None) -> TransactionOptions:
    """The terms, with the database's own limit for each statement."""
    if timeout is None:
        return terms
    seconds_left = terms.seconds_left
    return TransactionOptions(lambda: min(seconds_left(), timeout), terms.undoable, terms.forgiving)
