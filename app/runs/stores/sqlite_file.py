"""The SQLite file: made once with its schema, private to its owner, and refused if it is not ours.

Only the standard library's ``sqlite3`` is used, with whatever SQLite it was built with.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from app.errors import SettingsError

_SMALL = 500_000_000
"""Bytes of a file that is looked through at a start: about half a second, from memory. Meanwhile
no process can commit, so a larger one is not."""


def journal_mode(version: tuple[int, int, int]) -> str:
    """The journal that several processes can trust with this SQLite version: WAL or DELETE.

    SQLite 3.7.0 to 3.51.2 can corrupt a WAL file that several processes write ("WAL-reset bug",
    https://www.sqlite.org/wal.html); 3.51.3, 3.50.7 and 3.44.6 are repaired.
    """
    is_repaired_branch = (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if version >= (3, 51, 3) or is_repaired_branch else "DELETE"


def prepare(path: Path, timeout: float, *, thorough: bool = True) -> None:
    """Make the file if there is none, else check it and bring it to this version's schema.

    ``timeout`` is how many seconds to wait for another process's lock. No connection stays open.
    A file is refused if any run that has not ended cannot be read, with its journal; that takes
    milliseconds. ``thorough`` also looks through the rest of a file that is not very large, so it
    is for a service's start and not for each of its processes. What is not found here makes calls
    ``Busy`` that meet it, polls of runs long ended, and harms nothing else.

    Raises:
        SettingsError: the file cannot be made or opened, is damaged, or holds something else. Its
            content is as it was; the cause is what SQLite said.
    """
    try:
        _make_private_file(path)
        with closing(connect(path, timeout)) as connection:
            _check_or_create(path, connection, thorough)
    except OSError as error:
        raise _refused(path, f"cannot be opened ({error.strerror})") from error
    except sqlite3.Error as error:
        raise _refused(path, f"cannot be used as a SQLite file ({error})") from error


def is_locked(error: BaseException | None) -> bool:
    """Tell whether SQLite had to wait too long for another process, which says nothing else."""
    return (
        isinstance(error, sqlite3.OperationalError)
        and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )


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


def _check_or_create(path: Path, connection: sqlite3.Connection, thorough: bool) -> None:
    if version_and_size(connection) == (0, 0):
        _create(connection)
    version, _ = version_and_size(connection)
    if version == 0:
        raise _refused(path, "is another program's database")
    if version > SCHEMA_VERSION:
        raise _refused(path, f"has schema version {version}, which this program does not know")
    check_readable(connection, version)
    if thorough and path.stat().st_size <= _SMALL:
        _look_for_damage(path, connection)
    if journal_mode(sqlite3.sqlite_version_info) == "DELETE":
        connection.execute("PRAGMA journal_mode = DELETE")
    if version < SCHEMA_VERSION:
        upgrade(connection, version)


def _look_for_damage(path: Path, connection: sqlite3.Connection) -> None:
    [diagnostic] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if diagnostic != "ok":
        raise _refused(path, f"is damaged ({' '.join(diagnostic.split())})")


def _create(connection: sqlite3.Connection) -> None:
    # Both must be said before the first table is made. Only a new file may become WAL: a file in
    # use must not change under a process that has an older SQLite. Another process that makes the
    # file at this moment may hold the lock.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA journal_mode = {journal_mode(sqlite3.sqlite_version_info)}")
    upgrade(connection, 0)


def _refused(path: Path, why: str) -> SettingsError:
    return SettingsError(f"SITESWAP_STORE: {path} {why}; name another file")


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
    # No process has this name: the first look of the reaper finds that their owner is dead.
    "UPDATE instance SET owner = 'v1' WHERE status = 'RUNNING'",
    *_BESIDE_INSTANCE,
)

# A file that was made without auto_vacuum stays without it until an operator runs VACUUM: what is
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
