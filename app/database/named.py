"""The databases of ``services.yaml``: a pool for each, made at first use, closed when it changes.

SQLAlchemy and the drivers are extras, so they are imported when a database is used.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.database.contract import DatabaseError, DatabaseSession, TransactionOptions
from app.expression import Scope
from app.language.services.database import BadUrlError, Database
from app.native_threads import Offload

if TYPE_CHECKING:
    from app.database.kind import DatabaseKind
    from app.database.transaction import DatabasePool


class NamedDatabases:
    """The databases of this process, for all of its runs: :class:`app.database.contract.Databases`.

    ``declared`` returns what is declared now, and ``scope`` the values for addresses. Relative
    paths start at ``root``. ``new_offload`` returns an offload with so many native threads, for
    SQLite.
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
        self._pools: dict[str, DatabasePool] = {}

    def session(
        self, name: str | None, options: TransactionOptions
    ) -> AbstractContextManager[DatabaseSession]:
        """See :class:`app.database.contract.Databases`."""
        declared = self._declared()
        if name is None:
            name = _only(declared)
        if name not in declared:
            raise DatabaseError("sql", f"there is no database `{name}` in services.yaml")
        return self._pool(name, declared[name]).session(_bounded(options, declared[name].timeout))

    def prepare(self) -> None:
        """Import what the declared databases need, before any request: it takes half a second."""
        for name, database in self._declared().items():
            with contextlib.suppress(DatabaseError):
                self._pool(name, database)

    def refresh(self) -> None:
        """Close the pools of databases that are gone, and replace those that have changed."""
        declared = self._declared()
        with self._lock:
            for name in list(self._pools):
                if name in declared:
                    self._current(name, declared[name])
                else:
                    self._pools.pop(name).retire()

    def close(self) -> None:
        """Close every connection, those in use when their transactions end."""
        with self._lock:
            while self._pools:
                self._pools.popitem()[1].retire()

    def _pool(self, name: str, database: Database) -> DatabasePool:
        known = self._pools.get(name)
        if known is not None and known.declared is database:
            return known
        with self._lock:
            return self._current(name, database)

    def _current(self, name: str, database: Database) -> DatabasePool:
        """The pool that fits the address and options of now, while the lock is held.

        Raises:
            DatabaseError: the address cannot be used. A pool that is there already is kept.
        """
        from app.database.kind import PoolOptions
        from app.database.transaction import DatabasePool

        pool = self._pools.get(name)
        try:
            location = database.url.locate(self._scope())
        except BadUrlError as error:
            if pool is not None:
                return pool
            message = f"database `{name}`: {error.issue.message}"
            raise DatabaseError("connection", message) from None
        options = PoolOptions(location, database.pool_size, database.read_only)
        if pool is None or pool.options != options:
            if pool is not None:
                pool.retire()
            pool = self._pools[name] = DatabasePool(name, options, self._kind(location.kind))
        pool.declared = database
        return pool

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


def _bounded(options: TransactionOptions, timeout: float | None) -> TransactionOptions:
    """The options, with the database's own limit for each statement."""
    if timeout is None:
        return options
    return replace(options, seconds_left=lambda: min(options.seconds_left(), timeout))
