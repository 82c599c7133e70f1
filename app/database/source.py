"""One database: its pool, and the connections of the transactions under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy import Connection

from app.database.contract import DatabaseError, TransactionOptions
from app.database.kind import ConnectionPlan, DatabaseKind
from app.database.transaction import OpenTransaction
from app.language.services.database import Location

_END: ContextVar[float] = ContextVar("end")
"""When whoever waits for a new connection runs out of time, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class PoolIdentity:
    """What a pool depends on; while it stays the same, so does the pool."""

    location: Location
    pool_size: int
    read_only: bool


class DatabasePool:
    """One database, by the ``name`` that messages call it. Opens nothing before it is used."""

    def __init__(self, name: str, identity: PoolIdentity, kind: DatabaseKind) -> None:
        self.identity = identity
        self._name = name
        self._kind = kind
        self._turns = threading.BoundedSemaphore(identity.pool_size)
        self._engine = kind.engine(
            ConnectionPlan(
                identity.location,
                identity.pool_size,
                identity.read_only,
                lambda: _END.get() - time.monotonic(),
            )
        )
        self._pool = self._engine.pool
        self._is_retired = False

    def retire(self) -> None:
        """Close every connection, those in use when they are given back."""
        self._is_retired = True
        self._pool.dispose()

    @contextmanager
    def session(self, terms: TransactionOptions) -> Iterator[OpenTransaction]:
        """A transaction; see :meth:`app.database.contract.Databases.session`."""
        if not self._turns.acquire(timeout=max(0.0, terms.seconds_left())):
            raise self._error(
                "timeout",
                f"all {self.identity.pool_size} connections are in use; see `pool_size`",
            )
        try:
            transaction = OpenTransaction(
                self._kind, terms, self._connect, self._error, read_only=self.identity.read_only
            )
            with transaction.carried_out():
                yield transaction
        finally:
            if self._is_retired:
                self._pool.dispose()
            self._turns.release()

    def _connect(self, end: float) -> Connection:
        """A connection of the pool, or a new one before ``end`` on the monotonic clock."""
        token = _END.set(end)
        try:
            return self._engine.connect()
        finally:
            _END.reset(token)

    def _error(self, kind: str, text: str) -> DatabaseError:
        return DatabaseError(kind, f"database `{self._name}`: {' '.join(text.split())}")
