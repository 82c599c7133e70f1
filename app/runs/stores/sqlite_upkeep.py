"""How the SQLite store forgets: small portions, each a write of its own that nobody waits for long.

First is read up to where to go, which changes nothing. What ended stays as it is and what ends
comes later, so the answer stays true however many others forget at the same time.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass

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
