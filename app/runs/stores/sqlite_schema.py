"""What is in the SQLite file: its tables and indexes, and how an older file gets them.

All of a change happens in one transaction, or nothing of it.
"""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 2
"""Kept in ``PRAGMA user_version``; a file of a newer one is left alone."""

# What may be long comes last: SQLite reads a row from its beginning, as far as it has to.
_INSTANCE = """
    CREATE TABLE instance (
        id            TEXT NOT NULL PRIMARY KEY,
        flow_key      TEXT NOT NULL,
        flow_version  TEXT NOT NULL,
        status        TEXT NOT NULL,
        created_at    REAL NOT NULL,
        source        TEXT NOT NULL,
        owner         TEXT NOT NULL,
        queued        INTEGER NOT NULL,
        attempt       INTEGER NOT NULL,
        crashes       INTEGER NOT NULL,
        started_at    REAL,
        ended_at      REAL,
        error_code    INTEGER,
        reason        TEXT,
        error_message TEXT,
        result        TEXT,
        payload       TEXT
    )
"""

_INDEXES = (
    # The few runs that have not ended, however long the table grows: by owner, oldest first.
    "CREATE INDEX instance_unended ON instance (owner, created_at) WHERE ended_at IS NULL",
    # What is to be pruned next.
    "CREATE INDEX instance_ended ON instance (ended_at) WHERE ended_at IS NOT NULL",
    # Lists for people, the newest first.
    "CREATE INDEX instance_created ON instance (created_at)",
    "CREATE INDEX instance_flow ON instance (flow_key, created_at)",
    "CREATE INDEX instance_aborted ON instance (created_at) WHERE status = 'ABORT'",
)

_BESIDE_INSTANCE = (
    # The rowid keeps the order in which the steps of a run first began.
    """
    CREATE TABLE step (
        instance_id TEXT NOT NULL,
        path        TEXT NOT NULL,
        name        TEXT NOT NULL,
        verb        TEXT NOT NULL,
        attempt     INTEGER NOT NULL,
        started_at  REAL NOT NULL,
        ended_at    REAL,
        outcome     TEXT,
        detail      TEXT,
        value       TEXT,
        PRIMARY KEY (instance_id, path)
    )
    """,
    "CREATE TABLE source (digest TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL)",
    "CREATE TABLE owner (id TEXT NOT NULL PRIMARY KEY, beat INTEGER NOT NULL)",
    *_INDEXES,
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_FROM_VERSION_1 = (
    "DROP INDEX instance_unended",
    # The defaults are right for runs that have ended or begun, so their rows stay as they are.
    "ALTER TABLE instance ADD COLUMN source TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE instance ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE instance ADD COLUMN queued INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE instance ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE instance ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE instance ADD COLUMN reason TEXT",
    "UPDATE instance SET queued = 1, attempt = 0 WHERE status = 'INIT'",
    # Nobody is called so: the first sweep finds that their owner is gone.
    "UPDATE instance SET owner = 'v1' WHERE status = 'RUNNING'",
    *_BESIDE_INSTANCE,
)

# A file that was made without auto_vacuum stays without it until somebody runs VACUUM: what is
# pruned is used again, but not given back.
_UPGRADES = {0: (_INSTANCE, *_BESIDE_INSTANCE), 1: _FROM_VERSION_1}

_READABLE = {
    1: (
        "SELECT id, flow_key, flow_version, created_at, started_at, payload, result, error_code, "
        "error_message FROM instance WHERE ended_at IS NULL",
    ),
    2: (
        "SELECT again.* FROM instance JOIN instance AS again USING (id) "
        "WHERE instance.ended_at IS NULL",
        "SELECT step.* FROM instance JOIN step ON instance_id = id "
        "WHERE instance.ended_at IS NULL",
        "SELECT ended_at FROM instance WHERE ended_at IS NOT NULL ORDER BY ended_at LIMIT 1",
        "SELECT digest, text FROM source",
        "SELECT id, beat FROM owner",
    ),
}  # fmt: skip
"""For each version, what reads all that cannot be done without: tables, and runs that go on."""


def version_and_size(connection: sqlite3.Connection) -> tuple[int, int]:
    """The schema version and how many tables and indexes there are, of one moment."""
    row: tuple[int, int] = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    return row


def check_readable(connection: sqlite3.Connection, version: int) -> None:
    """Read every run that has not ended, with all that belongs to it, and throw it away.

    Raises:
        sqlite3.Error: something is missing or cannot be read.
    """
    for statement in _READABLE[version]:
        for _ in connection.execute(statement):
            pass


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older version (0: an empty one) to this one, unless another just did.

    Raises:
        sqlite3.Error: it cannot be done; closing the connection takes back what was.
    """
    connection.execute("BEGIN IMMEDIATE")
    now, size = version_and_size(connection)
    if now == version and (version or not size):
        for statement in _UPGRADES[version]:
            connection.execute(statement)
    connection.execute("COMMIT")
