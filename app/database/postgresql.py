"""PostgreSQL by psycopg, which waits in gevent's way once gevent has patched ``select``.

So psycopg is imported late, in the process that uses it: it looks for the patch at its import.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine

from app.database.contract import DatabaseError
from app.database.kind import DatabaseKind, PoolOptions, server_engine

_TOO_LATE = ("57014",)
_CONFLICTS = ("40001", "40P01", "55P03")
"""Serialization failure, deadlock, a lock not available."""
_UNREACHABLE = ("08", "28", "3D000", "53300", "57P")
"""Connection failures, wrong passwords, no such database, too many connections, shutting down."""


class PostgresqlKind(DatabaseKind):
    """PostgreSQL."""

    def engine(self, options: PoolOptions) -> Engine:
        # No prepared statements: a pooler between may give each transaction another session.
        arguments = {"prepare_threshold": None, "application_name": "siteswap"}
        return server_engine(
            "postgresql+psycopg", options, _bound_connect, {}, connect_args=arguments
        )

    def begin(self, connection: Connection, seconds: float, *, read_only: bool) -> None:
        begin = "BEGIN READ ONLY" if read_only else "BEGIN"
        # A mode can be changed until the first query, so one is made here.
        connection.exec_driver_sql(f"{begin}; {_limit(seconds)}; SELECT 1")
        connection.info["bound"] = seconds

    def bound(self, connection: Connection, seconds: float) -> None:
        if connection.info["bound"] - seconds > min(0.25, seconds / 10):
            connection.exec_driver_sql(_limit(seconds))
            connection.info["bound"] = seconds

    def protect(self, connection: Connection) -> None:
        connection.exec_driver_sql("SAVEPOINT siteswap")

    def recover(self, connection: Connection, fault: DatabaseError) -> bool:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT siteswap")
        return True

    def descriptor(self, raw: Any) -> int | None:
        return None if raw.closed else int(raw.fileno())

    def fault(self, error: BaseException) -> DatabaseError:
        import psycopg

        if not isinstance(error, psycopg.Error):
            return DatabaseError("sql", "the database and its driver do not understand each other")
        state = error.sqlstate or ""
        primary = error.diag.message_primary or str(error).strip()
        text = f"{primary} (SQLSTATE {state})" if state else primary
        if state in _TOO_LATE:
            return DatabaseError("timeout", "it was interrupted")
        if state in _CONFLICTS:
            return DatabaseError("conflict", text)
        if state.startswith(_UNREACHABLE) or (
            not state and isinstance(error, psycopg.OperationalError)
        ):
            return DatabaseError("connection", text)
        return DatabaseError("integrity" if state.startswith("23") else "sql", text)


def _limit(seconds: float) -> str:
    return f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}"


def _bound_connect(arguments: dict[str, Any], seconds: float) -> None:
    # Less than two seconds are two to the library.
    arguments["connect_timeout"] = max(2, round(seconds))
