"""The SQLite file: made once with its schema, private to its owner, and refused if it is not ours.

Only the standard library's ``sqlite3`` is used, with whatever SQLite it was built with.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from app.errors import SettingsError

SCHEMA_VERSION = 1
"""Kept in ``PRAGMA user_version``; a file of a newer one is left alone."""

_SCHEMA = (
    """
    CREATE TABLE instance (
        id            TEXT NOT NULL PRIMARY KEY,
        flow_key      TEXT NOT NULL,
        flow_version  TEXT NOT NULL,
        status        TEXT NOT NULL,
        created_at    REAL NOT NULL,
        payload       TEXT,
        started_at    REAL,
        ended_at      REAL,
        result        TEXT,
        error_code    INTEGER,
        error_message TEXT
    )
    """,
    # The few runs that have not ended, oldest first, however long the table grows.
    "CREATE INDEX instance_unended ON instance (status, created_at) WHERE ended_at IS NULL",
)


def journal_mode(version: tuple[int, int, int]) -> str:
    """The journal that several processes can trust with this SQLite version: WAL or DELETE.

    SQLite 3.7.0 to 3.51.2 can corrupt a WAL file that several processes write ("WAL-reset bug",
    https://www.sqlite.org/wal.html); 3.51.3, 3.50.7 and 3.44.6 are repaired.
    """
    is_repaired_branch = (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if version >= (3, 51, 3) or is_repaired_branch else "DELETE"


def prepare(path: Path, timeout: float) -> None:
    """Make the file if there is none, else check that it is ours; keeps no connection open.

    ``timeout`` is how many seconds to wait for another process's lock.

    Raises:
        SettingsError: the file cannot be made or opened, or holds something else.
    """
    try:
        _make_private_file(path)
        with closing(connect(path, timeout)) as connection:
            _check_or_create(path, connection)
    except OSError as error:
        raise _refused(path, f"cannot be opened ({error.strerror})") from error
    except sqlite3.Error as error:
        raise _refused(path, f"cannot be used as a SQLite file ({error})") from error


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the existing file, without implicit transactions; for one thread at a time.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    # FULL does not sync the folder after a DELETE journal is removed, so a power cut could bring
    # the journal back, and it would undo the last commit. EXTRA does (and equals FULL for WAL).
    try:
        connection.execute("PRAGMA synchronous = EXTRA")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # An existing file is not opened: closing it would drop the locks SQLite holds on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _check_or_create(path: Path, connection: sqlite3.Connection) -> None:
    if _version_and_size(connection) == (0, 0):
        _create(connection)
    version, _ = _version_and_size(connection)
    if version == 0:
        raise _refused(path, "is another program's database")
    if version != SCHEMA_VERSION:
        raise _refused(path, f"has schema version {version}, which this program does not know")
    if journal_mode(sqlite3.sqlite_version_info) == "DELETE":
        connection.execute("PRAGMA journal_mode = DELETE")


def _version_and_size(connection: sqlite3.Connection) -> tuple[int, int]:
    """The schema version and how many tables and indexes there are, of one moment."""
    row: tuple[int, int] = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    return row


def _create(connection: sqlite3.Connection) -> None:
    # Only a new file may become WAL: a file in use must not change under a process that has an
    # older SQLite. Another process that makes the file at this moment may hold the lock.
    with suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA journal_mode = {journal_mode(sqlite3.sqlite_version_info)}")
    connection.execute("BEGIN IMMEDIATE")
    if _version_and_size(connection) == (0, 0):
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _refused(path: Path, why: str) -> SettingsError:
    return SettingsError(f"SITESWAP_STORE: {path} {why}; name another file")
