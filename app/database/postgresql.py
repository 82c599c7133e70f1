"""PostgreSQL by psycopg, which waits in gevent's way once gevent has patched ``select``.

So psycopg is imported late, in the process that uses it: it looks for the patch at its import.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from app.database.kind import ConnectionPlan, DriverFault

_TOO_LATE = ("57014",)
_CONFLICTS = ("40001", "40P01", "55P03")
"""Serialization failure, deadlock, a lock not available."""
_UNREACHABLE = ("08", "28", "3D000", "53300", "57P")
"""Connection failures, wrong passwords, no such database, too many connections, shutting down."""


class PostgresqlKind:
    """PostgreSQL."""

    style = "%({})s"
    needs_begin = True

    def engine(self, plan: ConnectionPlan) -> Engine:
        location = plan.location
        url = URL.create(
            "postgresql+psycopg",
            location.username,
            location.password,
            location.host,
            location.port,
            location.name,
            dict(location.options),
        )
        engine = create_engine(
            url,
            pool_size=plan.pool_size,
            max_overflow=0,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            # A pooler between may give each transaction another session.
            connect_args={"prepare_threshold": None, "application_name": "siteswap"},
        )

        @event.listens_for(engine, "do_connect")
        def bound(_dialect: Any, _record: Any, _args: Any, options: dict[str, Any]) -> None:
            # Less than two seconds are two to the library.
            options["connect_timeout"] = max(2, round(plan.seconds_left()))

        return engine

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

    def recover(self, connection: Connection, fault: DriverFault) -> bool:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT siteswap")
        return True

    def descriptor(self, raw: Any) -> int | None:
        return None if raw.closed else int(raw.fileno())

    def fault(self, error: BaseException) -> DriverFault:
        import psycopg

        if not isinstance(error, psycopg.Error):
            return DriverFault("sql", "the database and its driver do not understand each other")
        state = error.sqlstate or ""
        primary = error.diag.message_primary or str(error).strip()
        text = f"{primary} (SQLSTATE {state})" if state else primary
        if state in _TOO_LATE:
            return DriverFault("timeout", "it was interrupted")
        if state in _CONFLICTS:
            return DriverFault("conflict", text)
        if state.startswith(_UNREACHABLE) or (
            not state and isinstance(error, psycopg.OperationalError)
        ):
            return DriverFault("connection", text)
        return DriverFault("integrity" if state.startswith("23") else "sql", text)


def _limit(seconds: float) -> str:
    return f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}"
