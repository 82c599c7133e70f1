"""MySQL and MariaDB by PyMySQL, whose sockets gevent makes cooperative."""

from __future__ import annotations

import re
import socket
from typing import Any

import pymysql
from sqlalchemy import Connection, Engine

from app.database.contract import DatabaseError
from app.database.kind import DatabaseKind, PoolOptions, cut_off, server_engine

_TOO_LATE = {1969, 3024, 1317}
"""max_statement_time (MariaDB), max_execution_time (MySQL), a query that was interrupted."""
_CONFLICTS = {1205, 1213, 1020, 3572}
"""Lock wait timeout, deadlock, a record that changed since it was read, a row lock not awaited."""
_UNREACHABLE = {1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1226, 1927}
"""Too many connections, access denied, unknown database, shutting down, blocked, killed."""


class MysqlKind(DatabaseKind):
    """MySQL and MariaDB. A statement that fails undoes itself."""

    def engine(self, options: PoolOptions) -> Engine:
        driver = f"{options.location.kind}+pymysql"
        return server_engine(driver, options, _connect, {"charset": "utf8mb4"})

    def begin(self, connection: Connection, seconds: float, *, read_only: bool) -> None:
        self.bound(connection, seconds)
        if read_only and "read_only" not in connection.info:
            # What commits by itself, as CREATE TABLE does, is told by the session alone.
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            connection.info["read_only"] = True
        connection.exec_driver_sql("START TRANSACTION READ ONLY" if read_only else "BEGIN")

    def bound(self, connection: Connection, seconds: float) -> None:
        # A session keeps its bounds; the next transaction mostly has as much time as the last one.
        info, slack = connection.info, min(0.25, seconds / 10)
        if abs(info.get("bound", 0.0) - seconds) <= slack:
            return
        limit = f"max_execution_time = {max(1, round(seconds * 1000))}"
        if connection.dialect.is_mariadb:  # type: ignore[attr-defined]
            limit = f"max_statement_time = {max(0.001, seconds):.3f}"
        waiting = f"innodb_lock_wait_timeout = {max(1, int(seconds))}"
        connection.exec_driver_sql(f"SET SESSION {limit}, SESSION {waiting}")
        info["bound"] = seconds

    def recover(self, connection: Connection, fault: DatabaseError) -> bool:
        # A deadlock ends the whole transaction; later statements would be committed one by one.
        return fault.kind != "conflict"

    def descriptor(self, raw: Any) -> int | None:
        wire = raw._sock
        return None if wire is None else wire.fileno()

    def fault(self, error: BaseException) -> DatabaseError:
        if not isinstance(error, pymysql.MySQLError):
            return DatabaseError("sql", "the database and its driver do not understand each other")
        number, *rest = error.args or (0, "")
        if not isinstance(number, int):
            return DatabaseError("sql", str(number))
        text = f"{_without_statement(str(rest[0] if rest else ''))} (error {number})"
        if number in _TOO_LATE:
            return DatabaseError("timeout", "it was interrupted")
        if number in _CONFLICTS:
            return DatabaseError("conflict", text)
        if (number >= 2000 and number < 3000) or number in _UNREACHABLE:
            return DatabaseError("connection", text)
        is_integrity = isinstance(error, pymysql.IntegrityError) or number in (3819, 4025)
        return DatabaseError("integrity" if is_integrity else "sql", text)


def _without_statement(text: str) -> str:
    """A message without the part of the statement it quotes, which holds values."""
    return re.sub(r" near '.*' at line", " at line", text, flags=re.DOTALL)


def _connect(arguments: dict[str, Any], seconds: float) -> Any:
    connection = pymysql.connect(**arguments, connect_timeout=seconds, defer_connect=True)
    path = arguments.get("unix_socket")
    try:
        wire = _dial(path, connection.host, connection.port, seconds)
    except OSError as error:
        message = f"cannot connect: {error.strerror or error}"
        raise pymysql.OperationalError(2003, message) from error
    with cut_off(wire.fileno(), seconds):
        connection.connect(wire)
    return connection


def _dial(path: str | None, host: str, port: int, seconds: float) -> socket.socket:
    if path is None:
        wire = socket.create_connection((host, port), seconds)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return wire
    wire = socket.socket(socket.AF_UNIX)
    try:
        wire.settimeout(seconds)
        wire.connect(path)
    except BaseException:
        wire.close()
        raise
    return wire
