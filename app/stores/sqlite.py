"""The store in one SQLite file, shared by all processes of one machine.

What :meth:`SqliteStore.add` has returned for is on disk. A process reads on one connection and
writes on another, each behind a :class:`~app.stores.batcher.Batcher`. First use opens them, so a
store may be made before a fork; one that was used before it is refused in the child.
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from app.instance import Instance, Outcome, Status
from app.offload import Offload, direct
from app.stores.batcher import Batcher
from app.stores.sqlite_file import prepare
from app.stores.sqlite_session import READ, WRITE, Operation, SqliteSession

T = TypeVar("T")

_COLUMNS = (
    "id, flow_key, flow_version, status, created_at, payload, started_at, ended_at, "
    "result, error_code, error_message"
)


class SqliteStore:
    """Keeps instances in a SQLite file, which is made with its folder if there is none.

    ``timeout`` bounds how many seconds a call waits for its turn; ``offload`` runs what blocks
    (see :func:`app.offload.native_offload`).

    Raises:
        SettingsError: the file cannot be used, or is not one of ours.
    """

    def __init__(self, path: Path, *, timeout: float = 5.0, offload: Offload = direct) -> None:
        prepare(path, timeout)
        # Half of the time for the lock: a call may wait for the batch before its own, then for it.
        session = partial(SqliteSession, path, lock_timeout=timeout / 2)
        self._reads = Batcher(partial(session, READ), timeout=timeout, offload=offload)
        self._writes = Batcher(partial(session, WRITE), timeout=timeout, offload=offload)
        self._process: int | None = None

    def add(self, instance: Instance) -> None:
        if not self._write(partial(_insert, instance=instance)):
            raise ValueError(f"the instance {instance.id} exists already")

    def claim(self, instance_id: str, now: float) -> Instance | None:
        return self._write(partial(_claim, instance_id=instance_id, now=now))

    def complete(self, instance_id: str, outcome: Outcome, now: float) -> bool:
        return self._write(partial(_complete, instance_id=instance_id, outcome=outcome, now=now))

    def get(self, instance_id: str) -> Instance | None:
        return self._read(partial(_select, instance_id=instance_id))

    def close(self) -> None:
        if self._belongs_here():
            self._reads.close()
            self._writes.close()

    def _read(self, operation: Operation[T]) -> T:
        return self._ask(self._reads, operation)

    def _write(self, operation: Operation[T]) -> T:
        return self._ask(self._writes, operation)

    def _ask(self, lane: Batcher, operation: Operation[T]) -> T:
        if not self._belongs_here():
            raise RuntimeError("this store was used before the process was forked")
        self._process = os.getpid()
        answer: T = lane.ask(operation)
        return answer

    def _belongs_here(self) -> bool:
        # A child inherits SQLite's record of its parent's locks, and would trust it even on a new
        # connection (https://www.sqlite.org/howtocorrupt.html, section 2.6).
        return self._process in (None, os.getpid())


def _insert(connection: sqlite3.Connection, *, instance: Instance) -> bool:
    cursor = connection.execute(
        "INSERT INTO instance (id, flow_key, flow_version, status, created_at, payload) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            instance.id,
            instance.flow_key,
            instance.flow_version,
            instance.status,
            instance.created_at,
            instance.payload,
        ),
    )
    return cursor.rowcount == 1


def _claim(connection: sqlite3.Connection, *, instance_id: str, now: float) -> Instance | None:
    cursor = connection.execute(
        "UPDATE instance SET status = ?, started_at = ? WHERE id = ? AND status = ?",
        (Status.RUNNING, now, instance_id, Status.INIT),
    )
    return _select(connection, instance_id=instance_id) if cursor.rowcount == 1 else None


def _complete(
    connection: sqlite3.Connection, *, instance_id: str, outcome: Outcome, now: float
) -> bool:
    cursor = connection.execute(
        "UPDATE instance SET status = ?, ended_at = ?, result = ?, error_code = ?, "
        "error_message = ?, payload = NULL WHERE id = ? AND status = ?",
        (
            outcome.status,
            now,
            outcome.result,
            outcome.error_code,
            outcome.error_message,
            instance_id,
            Status.RUNNING,
        ),
    )
    return cursor.rowcount == 1


def _select(connection: sqlite3.Connection, *, instance_id: str) -> Instance | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM instance WHERE id = ?", (instance_id,)
    ).fetchone()
    return None if row is None else _instance(row)


def _instance(row: tuple[Any, ...]) -> Instance:
    key, flow_key, flow_version, word, created_at, payload, started_at, ended_at, *ending = row
    status = Status(word)
    return Instance(
        key,
        flow_key,
        flow_version,
        status,
        created_at,
        payload,
        started_at,
        ended_at,
        Outcome(status, *ending) if status.is_terminal else None,
    )
