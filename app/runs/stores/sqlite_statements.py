"""What the SQLite store says to SQLite: each function is one operation on a connection.

It runs inside a transaction that others share. A function that changes more than one thing and may
fail in between is ``whole``, so that it leaves nothing half done.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runtime.record import StepRecord

_INSTANCE = (
    "id, flow_key, flow_version, status, created_at, source, owner, queued, attempt, crashes, "
    "started_at, ended_at, result, error_code, error_message, reason"
)
_STEP = "path, name, verb, attempt, started_at, ended_at, outcome, value, detail"
_UNDER_CLAIM = "id = ? AND owner = ? AND attempt = ? AND queued = ? AND ended_at IS NULL"


def insert(connection: sqlite3.Connection, *, run: RunRecord, source: str) -> bool:
    """Keep a new run and its source; False if there is one with this id."""
    connection.execute(
        "INSERT INTO source (digest, text) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
        (run.source, source),
    )
    cursor = connection.execute(
        "INSERT INTO instance (id, flow_key, flow_version, status, created_at, payload, source, "
        "owner, queued, attempt, crashes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO NOTHING",
        (
            run.id,
            run.flow_key,
            run.flow_version,
            run.status,
            run.created_at,
            run.payload,
            run.source,
            run.owner,
            run.queued,
            run.attempt,
            run.crashes,
        ),
    )
    return cursor.rowcount == 1


def claim(
    connection: sqlite3.Connection, *, run_id: str, owner: str, now: float
) -> RunRecord | None:
    """Take a queued run."""
    cursor = connection.execute(
        "UPDATE instance SET status = ?, owner = ?, queued = 0, attempt = attempt + 1, "
        "started_at = coalesce(started_at, ?) WHERE id = ? AND queued = 1",
        (Status.RUNNING, owner, now, run_id),
    )
    return select(connection, run_id=run_id) if cursor.rowcount == 1 else None


def record(connection: sqlite3.Connection, *, claim: Claim, record: StepRecord) -> bool:
    """Keep a step record; the row of one with the same path keeps its place."""
    is_running = connection.execute(
        f"SELECT 1 FROM instance WHERE {_UNDER_CLAIM} AND status = ?",
        (*_claim_key(claim), Status.RUNNING),
    ).fetchone()
    if not is_running:
        return False
    connection.execute(
        f"INSERT INTO step (instance_id, {_STEP}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (instance_id, path) DO UPDATE SET name = excluded.name, "
        "verb = excluded.verb, attempt = excluded.attempt, started_at = excluded.started_at, "
        "ended_at = excluded.ended_at, outcome = excluded.outcome, value = excluded.value, "
        "detail = excluded.detail",
        (
            claim.run_id,
            record.path,
            record.name,
            record.verb,
            record.attempt,
            record.started_at,
            record.ended_at,
            record.outcome,
            record.value,
            record.detail,
        ),
    )
    return True


def complete(
    connection: sqlite3.Connection,
    *,
    run_id: str,
    claim: Claim | None,
    outcome: Outcome,
    now: float,
    then: RunRecord | None,
    then_source: str,
) -> bool:
    """End a run, and begin the one that follows."""
    with whole(connection):
        happened = _end(connection, run_id, claim, outcome, now)
        if happened and then is not None:
            insert(connection, run=then, source=then_source)
    return happened


def _end(
    connection: sqlite3.Connection,
    run_id: str,
    claim: Claim | None,
    outcome: Outcome,
    now: float,
) -> bool:
    condition, seen = (
        ("ended_at IS NULL", ()) if claim is None else (_UNDER_CLAIM, _claim_key(claim))
    )
    cursor = connection.execute(
        "UPDATE instance SET status = ?, owner = '', queued = 0, ended_at = ?, result = ?, "
        "error_code = ?, error_message = ?, reason = ? "
        f"WHERE id = ? AND {condition}",
        (
            outcome.status,
            now,
            outcome.result,
            outcome.error_code,
            outcome.error_message,
            outcome.reason,
            run_id,
            *seen,
        ),
    )
    if cursor.rowcount == 1:
        connection.execute(
            "UPDATE step SET value = NULL WHERE instance_id = ? AND value IS NOT NULL",
            (run_id,),
        )
    return cursor.rowcount == 1


def release(connection: sqlite3.Connection, *, claim: Claim, owner: str) -> bool:
    """Queue a run, without an owner or for one."""
    cursor = connection.execute(
        f"UPDATE instance SET owner = ?, queued = 1 WHERE {_UNDER_CLAIM}",
        (owner, *_claim_key(claim)),
    )
    return cursor.rowcount == 1


def select(connection: sqlite3.Connection, *, run_id: str) -> RunRecord | None:
    """One run, with its payload."""
    row = connection.execute(
        f"SELECT {_INSTANCE}, payload FROM instance WHERE id = ?", (run_id,)
    ).fetchone()
    return None if row is None else _instance(row)


def select_records(
    connection: sqlite3.Connection, *, run_id: str, last: int | None
) -> Sequence[StepRecord]:
    """The journal of a run, or the last of it without values."""
    columns = _STEP if last is None else _STEP.replace("value", "NULL")
    rows = connection.execute(
        f"SELECT {columns} FROM step WHERE instance_id = ? ORDER BY rowid DESC LIMIT ?",
        (run_id, -1 if last is None else last),
    )
    return [StepRecord(*row) for row in rows][::-1]


def find(
    connection: sqlite3.Connection, *, status: Status | None, flow_key: str | None, limit: int
) -> Sequence[RunRecord]:
    """Runs by status and flow, the newest first."""
    rows = connection.execute(
        f"SELECT {_INSTANCE}, NULL FROM instance {_narrowed(status, flow_key)} "
        "AND (:status IS NULL OR status = :status) "
        "AND (:flow_key IS NULL OR flow_key = :flow_key) "
        "ORDER BY created_at DESC, rowid DESC LIMIT :limit",
        {"status": status, "flow_key": flow_key, "limit": limit},
    )
    return [_instance(row) for row in rows]


def _narrowed(status: Status | None, flow_key: str | None) -> str:
    # Which index is the smallest is known here, but not to SQLite, which keeps no statistics.
    if status in (Status.INIT, Status.RUNNING):
        return "INDEXED BY instance_unended WHERE ended_at IS NULL"
    if status == Status.ABORT:
        return "INDEXED BY instance_aborted WHERE status = 'ABORT'"
    if flow_key is not None:
        return "INDEXED BY instance_flow WHERE flow_key = :flow_key"
    return "INDEXED BY instance_created WHERE TRUE"


def select_source(connection: sqlite3.Connection, *, digest: str) -> str | None:
    """The text of a flow file."""
    row = connection.execute("SELECT text FROM source WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else row[0]


def beat(connection: sqlite3.Connection, *, owner: str, count: int) -> None:
    """Keep an owner's heartbeat."""
    connection.execute(
        "INSERT INTO owner (id, beat) VALUES (?, ?) "
        "ON CONFLICT (id) DO UPDATE SET beat = excluded.beat",
        (owner, count),
    )


def retire(connection: sqlite3.Connection, *, owner: str) -> None:
    """Forget an owner."""
    connection.execute("DELETE FROM owner WHERE id = ?", (owner,))


def select_owners(connection: sqlite3.Connection) -> Mapping[str, int | None]:
    """Owners that have runs, and those that sent a heartbeat."""
    holders = connection.execute("SELECT DISTINCT owner FROM instance WHERE ended_at IS NULL")
    beats: dict[str, int | None] = dict.fromkeys((owner for (owner,) in holders), None)
    beats.update(connection.execute("SELECT id, beat FROM owner").fetchall())
    return beats


def select_held(
    connection: sqlite3.Connection, *, owners: Collection[str], limit: int
) -> Sequence[Claim]:
    """Runs that have not ended, of these owners."""
    # One owner at a time: older SQLites take only 999 parameters, and each of these walks the
    # index in the order wanted.
    rows = [
        row
        for owner in owners
        for row in connection.execute(
            "SELECT created_at, id, owner, attempt, queued FROM instance "
            "WHERE owner = ? AND ended_at IS NULL ORDER BY created_at LIMIT ?",
            (owner, limit),
        )
    ]
    rows.sort(key=lambda row: row[0])
    return [Claim(key, owner, attempt, bool(q)) for _, key, owner, attempt, q in rows[:limit]]


def adopt(connection: sqlite3.Connection, *, claims: Sequence[Claim], owner: str) -> Sequence[str]:
    """Queue runs for another owner."""
    with whole(connection):
        return [claim.run_id for claim in claims if _adopt(connection, claim, owner)]


def _adopt(connection: sqlite3.Connection, claim: Claim, owner: str) -> bool:
    cursor = connection.execute(
        "UPDATE instance SET owner = ?, queued = 1, crashes = crashes + (1 - queued) "
        f"WHERE {_UNDER_CLAIM}",
        (owner, *_claim_key(claim)),
    )
    return cursor.rowcount == 1


@contextmanager
def whole(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done in here happens, or what is raised takes it back."""
    connection.execute("SAVEPOINT whole")
    try:
        yield
    except BaseException:
        # A failure that ended the whole transaction has left nothing to take back.
        if connection.in_transaction:
            connection.execute("ROLLBACK TO whole")
        raise
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE whole")


def _claim_key(claim: Claim) -> tuple[str, str, int, bool]:
    return (claim.run_id, claim.owner, claim.attempt, claim.queued)


def _instance(row: tuple[Any, ...]) -> RunRecord:
    (
        key, flow_key, flow_version, word, created_at, source, owner, queued, attempt, crashes,
        started_at, ended_at, result, error_code, error_message, reason, payload,
    ) = row  # fmt: skip
    status = Status(word)
    return RunRecord(
        key,
        flow_key,
        flow_version,
        status,
        created_at,
        payload,
        source=source,
        owner=owner,
        queued=bool(queued),
        attempt=attempt,
        crashes=crashes,
        started_at=started_at,
        ended_at=ended_at,
        outcome=Outcome(status, result, error_code, error_message, reason)
        if status.is_terminal
        else None,
    )


ROWS = 50
"""Runs in a portion, a few milliseconds of work."""

PAGES = 256
"""Pages of the file in a portion: 1 MB, ten milliseconds to give back."""


@dataclass(frozen=True, slots=True)
class PruneLine:
    """Drawn through the ended runs: those before it in the order of ``ended_at, rowid`` go."""

    ended_at: float
    rowid: int


_BEFORE = "FROM instance WHERE ended_at IS NOT NULL AND (ended_at, rowid) < (?, ?)"


def draw_line(
    connection: sqlite3.Connection, *, ended_before: float, keep: int
) -> PruneLine | None:
    """Where to stop dropping, or ``None`` if there is nothing to drop; it walks ``keep`` entries.

    ``ended_before`` and ``keep`` are those of :meth:`app.runs.store.Store.prune`.
    """
    newest = connection.execute(
        "SELECT ended_at, rowid + 1 FROM instance WHERE ended_at IS NOT NULL "
        "ORDER BY ended_at DESC, rowid DESC LIMIT 1 OFFSET ?",
        (keep,),
    ).fetchone()
    line = max((ended_before, 0), newest or (-math.inf, 0))
    found = connection.execute(f"SELECT 1 {_BEFORE} LIMIT 1", line).fetchone()
    return PruneLine(*line) if found else None


def drop(connection: sqlite3.Connection, *, line: PruneLine, limit: int) -> int:
    """Drop the oldest ended runs, at most a portion of them; how many."""
    free = _free_pages(connection)
    rows = connection.execute(
        f"SELECT rowid, id {_BEFORE} ORDER BY ended_at, rowid LIMIT ?",
        (line.ended_at, line.rowid, min(limit, ROWS)),
    ).fetchall()
    for number, (rowid, run_id) in enumerate(rows, start=1):
        connection.execute("DELETE FROM step WHERE instance_id = ?", (run_id,))
        connection.execute("DELETE FROM instance WHERE rowid = ?", (rowid,))
        if _free_pages(connection) - free >= PAGES:
            return number
    return len(rows)


def drop_sources(connection: sqlite3.Connection) -> None:
    """Drop the texts that no run needs any more."""
    connection.execute(
        "DELETE FROM source WHERE digest NOT IN "
        "(SELECT source FROM instance WHERE ended_at IS NULL)"
    )


def give_back(connection: sqlite3.Connection) -> bool:
    """Shorten the file by a portion of its free pages; tells whether there may be more.

    A file made without auto_vacuum keeps its free pages, and uses them again.
    """
    before = _free_pages(connection)
    for _ in range(min(before, PAGES)):
        # One page in each statement: Python ends a statement without columns after its first step,
        # which is one page, whatever number is asked for.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return 0 < _free_pages(connection) < before


def _free_pages(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return count
