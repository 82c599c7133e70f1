"""The store in one SQLite file, shared by all processes of one machine.

What :meth:`SqliteStore.add` has returned for is on disk. A process reads on one connection and
writes on another, each behind a :class:`~app.runs.stores.batcher.Batcher`. First use opens them, so a
store may be made before a fork; one that was used before it is refused in the child.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from app.errors import SettingsError
from app.native_threads import Offload, direct
from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runs.stores import sqlite_statements as statements
from app.runs.stores import sqlite_upkeep as upkeep
from app.runs.stores.batcher import Batcher
from app.runs.stores.sqlite_file import is_locked, prepare
from app.runs.stores.sqlite_session import READ, WRITE, Operation, SqliteSession
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

    def record(self, hold: Claim, record: StepRecord) -> bool:
        return self._write(partial(statements.record, hold=hold, record=record))

    def complete(
        self, run_id: str, hold: Claim | None, outcome: Outcome, now: float,
        then: RunRecord | None = None, then_source: str = "",
    ) -> bool:  # fmt: skip
        return self._write(
            partial(
                statements.complete,
                run_id=run_id,
                hold=hold,
                outcome=outcome,
                now=now,
                then=then,
                then_source=then_source,
            )
        )

    def release(self, hold: Claim, owner: str = "") -> bool:
        return self._write(partial(statements.release, hold=hold, owner=owner))

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

    def adopt(self, holds: Sequence[Claim], owner: str) -> Sequence[str]:
        return self._write(partial(statements.adopt, holds=holds, owner=owner))

    def prune(self, ended_before: float, keep: int, limit: int) -> int:
        line = self._read(partial(upkeep.draw_line, ended_before=ended_before, keep=keep))
        if line is None:
            return 0
        dropped = 0
        while portion := self._write(partial(upkeep.drop, line=line, limit=limit - dropped)):
            dropped += portion
        self._write(upkeep.drop_sources)
        while self._write(upkeep.give_back):
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
