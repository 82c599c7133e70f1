"""The store in one SQLite file, shared by all processes of one machine.

What :meth:`SqliteStore.add` has returned for is on disk. A process reads on one connection and
writes on another, each through a :class:`~app.runs.stores.batcher.Batcher`. The first use opens
them: a store may be made before a fork. One that was used before a fork is refused in the child.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from app.errors import Busy, SettingsError
from app.native_threads import Offload, direct
from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runs.stores import sqlite_statements as statements
from app.runs.stores.batcher import Batcher
from app.runs.stores.sqlite_file import (
    SCHEMA_VERSION,
    connect,
    is_locked,
    prepare,
    version_and_size,
)
from app.runtime.record import StepRecord

T = TypeVar("T")


class SqliteStore:
    """Keeps instances in a SQLite file, which is made with its folder if there is none.

    ``timeout`` bounds how many seconds a call waits for its turn; ``offload`` runs what blocks
    (see :func:`app.native_threads.native_offload`).

    Raises:
        SettingsError: the file cannot be used, or is not one of ours.
    """

    def __init__(self, path: Path, *, timeout: float = 5.0, offload: Offload = direct) -> None:
        try:
            prepare(path, timeout, thorough=False)
        except SettingsError as error:
            # A file that is locked for long is busy, and no reason to go down: each call says so
            # until it heals. It is still refused if it turns out to be of another version.
            if not is_locked(error.__cause__):
                raise
        # Half of the time for the lock: a call may wait for the batch before its own, then for it.
        session = partial(SqliteSession, path, lock_timeout=timeout / 2)
        self._reads = Batcher(partial(session, READ), timeout=timeout, offload=offload)
        self._writes = Batcher(partial(session, WRITE), timeout=timeout, offload=offload)
        self._process: int | None = None

    def add(self, run: RunRecord, source: str) -> None:
        if not self._write(partial(statements.insert, run=run, source=source)):
            raise ValueError(f"the instance {run.id} exists already")

    def claim(self, run_id: str, owner: str, now: float) -> RunRecord | None:
        return self._write(partial(statements.claim, run_id=run_id, owner=owner, now=now))

    def record(self, claim: Claim, record: StepRecord) -> bool:
        return self._write(partial(statements.record, claim=claim, record=record))

    def complete(
        self, run_id: str, claim: Claim | None, outcome: Outcome, now: float,
        then: RunRecord | None = None, then_source: str = "",
    ) -> bool:  # fmt: skip
        return self._write(
            partial(
                statements.complete,
                run_id=run_id,
                claim=claim,
                outcome=outcome,
                now=now,
                then=then,
                then_source=then_source,
            )
        )

    def release(self, claim: Claim, owner: str = "") -> bool:
        return self._write(partial(statements.release, claim=claim, owner=owner))

    def get(self, run_id: str) -> RunRecord | None:
        return self._read(partial(statements.select, run_id=run_id))

    def records(self, run_id: str, last: int | None = None) -> Sequence[StepRecord]:
        return self._read(partial(statements.select_records, run_id=run_id, last=last))

    def find(
        self, *, status: Status | None = None, flow_key: str | None = None, limit: int
    ) -> Sequence[RunRecord]:
        return self._read(partial(statements.find, status=status, flow_key=flow_key, limit=limit))

    def source(self, digest: str) -> str | None:
        return self._read(partial(statements.select_source, digest=digest))

    def beat(self, owner: str, count: int) -> None:
        self._write(partial(statements.beat, owner=owner, count=count))

    def retire(self, owner: str) -> None:
        self._write(partial(statements.retire, owner=owner))

    def owners(self) -> Mapping[str, int | None]:
        return self._read(statements.select_owners)

    def held(self, owners: Collection[str], limit: int) -> Sequence[Claim]:
        return self._read(partial(statements.select_held, owners=owners, limit=limit))

    def adopt(self, claims: Sequence[Claim], owner: str) -> Sequence[str]:
        return self._write(partial(statements.adopt, claims=claims, owner=owner))

    def prune(self, ended_before: float, keep: int, limit: int) -> int:
        line = self._read(partial(statements.draw_line, ended_before=ended_before, keep=keep))
        if line is None:
            return 0
        dropped = 0
        while portion := self._write(partial(statements.drop, line=line, limit=limit - dropped)):
            dropped += portion
        self._write(statements.drop_sources)
        while self._write(statements.give_back):
            pass
        return dropped

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


Operation = Callable[[sqlite3.Connection], T]

READ = ("BEGIN", "PRAGMA user_version")
"""Begins a batch that sees one state of the file; the second statement takes the lock."""

WRITE = ("BEGIN IMMEDIATE",)
"""Begins a batch that writes. It takes the lock at once: a transaction that reads first and then
wants to write fails, whatever it would wait, when another process has written in between."""

_UNFIT = (
    ValueError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""Raised for a value that SQLite cannot keep: its statement failed, the transaction did not."""


class SqliteSession:
    """A :class:`~app.runs.stores.batcher.BatchSession` on one file; ``begin`` is READ or WRITE.

    The connection is opened by the first batch, and anew by the batch after a failure, so that
    everything heals without a restart: a full disk, a damaged file put back, a lock.
    """

    def __init__(self, path: Path, begin: Sequence[str], *, lock_timeout: float) -> None:
        self._path = path
        self._begin = begin
        self._lock_timeout = lock_timeout
        self._connection: sqlite3.Connection | None = None

    def perform(self, operations: Sequence[Operation[Any]]) -> Sequence[Any]:
        """Perform all operations and commit; an operation's own error is its answer.

        Raises:
            Busy: SQLite could not do it now; nothing has changed.
        """
        try:
            return self._transact(operations)
        except sqlite3.Error as error:
            self.close()
            raise Busy("the store cannot be used now") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, which rolls back what was not committed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, operations: Sequence[Operation[Any]]) -> Sequence[Any]:
        is_new = self._connection is None
        connection = self._connection or connect(self._path, self._lock_timeout)
        self._connection = connection
        self._begin_batch(connection)
        if is_new:
            _check_version(connection)
        answers = [_attempt(operation, connection) for operation in operations]
        connection.execute("COMMIT")
        return answers

    def _begin_batch(self, connection: sqlite3.Connection) -> None:
        # SQLite's own waiting pauses longer with every try, up to 100 ms, and so hardly ever meets
        # the short moment between two commits of a busy process. A constant millisecond treats
        # all alike. SQLite does the pausing, as time.sleep is gevent's in a patched process.
        connection.execute("PRAGMA busy_timeout = 1")
        deadline = time.monotonic() + self._lock_timeout
        for statement in self._begin:
            _insist(connection, statement, deadline)
        # The commit waits for readers in SQLite's own way: it lets no new ones in meanwhile.
        connection.execute(f"PRAGMA busy_timeout = {round(self._lock_timeout * 1000)}")


def _check_version(connection: sqlite3.Connection) -> None:
    # The file was there when the store was made. Whatever took its place since is not touched.
    version, _ = version_and_size(connection)
    if version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"the file has schema version {version}")


def _insist(connection: sqlite3.Connection, statement: str, deadline: float) -> None:
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise


def _attempt(operation: Operation[T], connection: sqlite3.Connection) -> T | Exception:
    try:
        return operation(connection)
    except _UNFIT as error:
        return error
