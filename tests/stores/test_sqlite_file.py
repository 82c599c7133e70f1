"""The SQLite file: its journal, its making, and what is refused without being touched."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.runs.run import Outcome, RunRecord, Status
from app.runs.stores.sqlite import SqliteStore
from app.runs.stores.sqlite_file import SCHEMA_VERSION, connect, is_locked, journal_mode, prepare
from tests.stores.suite import FINISH, MANY, SOURCE, end, new


def pragma(path: Path, name: str) -> object:
    """What a connection of the store says of one PRAGMA."""
    with closing(connect(path, 1.0)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 34, 1), "DELETE"),
        ((3, 40, 1), "DELETE"),
        ((3, 44, 5), "DELETE"),
        ((3, 44, 6), "WAL"),
        ((3, 45, 0), "DELETE"),
        ((3, 49, 9), "DELETE"),
        ((3, 50, 6), "DELETE"),
        ((3, 50, 7), "WAL"),
        ((3, 51, 0), "DELETE"),
        ((3, 51, 2), "DELETE"),
        ((3, 51, 3), "WAL"),
        ((3, 53, 0), "WAL"),
        ((4, 0, 0), "WAL"),
    ],
)
def test_wal_is_used_only_where_it_is_safe(version: tuple[int, int, int], mode: str) -> None:
    """The versions with the WAL-reset bug get a rollback journal."""
    assert journal_mode(version) == mode


def test_a_new_file_has_the_journal_of_this_sqlite(tmp_path: Path) -> None:
    """The decision is what the file really gets."""
    prepare(tmp_path / "runs.db", 1.0)
    expected = journal_mode(sqlite3.sqlite_version_info)
    assert pragma(tmp_path / "runs.db", "journal_mode") == expected.lower()


def test_commits_are_durable(tmp_path: Path) -> None:
    """Every connection syncs at each commit, the folder of the journal included (EXTRA is 3)."""
    prepare(tmp_path / "runs.db", 1.0)
    assert pragma(tmp_path / "runs.db", "synchronous") == 3


def test_a_wal_file_is_converted_where_wal_is_unsafe(tmp_path: Path) -> None:
    """A file that a newer SQLite made keeps WAL only if this SQLite can be trusted with it."""
    path = tmp_path / "runs.db"
    prepare(path, 1.0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    prepare(path, 1.0)
    expected = journal_mode(sqlite3.sqlite_version_info)
    assert pragma(path, "journal_mode") == expected.lower()


def test_many_may_make_the_file_at_once(tmp_path: Path) -> None:
    """Workers that start together agree on one file."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: prepare(tmp_path / "new" / "runs.db", 10.0), range(8)))
    assert pragma(tmp_path / "new" / "runs.db", "user_version") == SCHEMA_VERSION


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """A file that somebody made beforehand, to give it an owner, is used."""
    (tmp_path / "runs.db").touch()
    prepare(tmp_path / "runs.db", 1.0)
    assert pragma(tmp_path / "runs.db", "user_version") == SCHEMA_VERSION


def test_a_name_with_signs_of_a_url_is_a_name(tmp_path: Path) -> None:
    """A question mark or a percent sign in the path means itself."""
    path = tmp_path / "50% of?mode=memory#1.db"
    prepare(path, 1.0)
    assert path.stat().st_size > 0
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def version_1(path: Path) -> None:
    """The file of the first release, with a run in each state."""
    runs = [
        ("async_queued", "INIT", 4.25, "queued", None, None, None, None, None),
        ("async_running", "RUNNING", 3.5, "running", 3.75, None, None, None, None),
        ("async_finished", "FINISH", 1.0, None, 2.0, 3.0, "{}", 0, None),
        ("async_aborted", "ABORT", 0.5, None, 2.5, 3.5, None, 7, "why\0"),
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        connection.executemany(
            "INSERT INTO instance VALUES (?, 'key', 'v1', ?, ?, ?, ?, ?, ?, ?, ?)", runs
        )


VERSION_1 = """
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
    );
    CREATE INDEX instance_unended ON instance (status, created_at) WHERE ended_at IS NULL;
    PRAGMA user_version = 1;
"""


def test_an_old_file_is_upgraded(tmp_path: Path) -> None:
    """Nothing of version 1 is lost, and what had not ended can be taken over and ended."""
    path = tmp_path / "runs.db"
    version_1(path)
    queued = RunRecord("async_queued", "key", "v1", Status.INIT, 4.25, "queued")
    running = RunRecord(
        "async_running", "key", "v1", Status.RUNNING, 3.5, "running", owner="v1", queued=False,
        attempt=1, started_at=3.75,
    )  # fmt: skip
    ended = {"queued": False, "attempt": 1}
    finished = RunRecord(
        "async_finished", "key", "v1", Status.FINISH, 1.0, None, started_at=2.0, ended_at=3.0,
        outcome=Outcome(Status.FINISH, "{}"), **ended,
    )  # fmt: skip
    aborted = RunRecord(
        "async_aborted", "key", "v1", Status.ABORT, 0.5, None, started_at=2.5, ended_at=3.5,
        outcome=Outcome(Status.ABORT, None, 7, "why\0"), **ended,
    )  # fmt: skip
    runs = [queued, running, finished, aborted]
    with closing(SqliteStore(path)) as store:
        assert [store.get(each.id) for each in runs] == runs
        assert store.owners() == {"": None, "v1": None}
        claims = store.held(store.owners().keys(), MANY)
        assert len(store.adopt(claims, "one")) == 2
        for each in (queued, running):
            claimed = store.claim(each.id, "one", 9.0)
            assert claimed is not None
            assert store.complete(each.id, claimed.claim, FINISH, 10.0)
        assert store.prune(11.0, 0, MANY) == 4


def shape(path: Path) -> object:
    """Tables with their columns, in whatever order, and indexes."""
    with closing(sqlite3.connect(path)) as connection:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        return [
            (
                name,
                {row[1:4] for row in connection.execute(f"PRAGMA table_info({name})")},
                connection.execute(
                    "SELECT name, sql FROM sqlite_master "
                    "WHERE type = 'index' AND tbl_name = ? ORDER BY name",
                    (name,),
                ).fetchall(),
            )
            for (name,) in connection.execute(tables).fetchall()
        ]


def test_an_upgraded_file_is_like_a_new_one(tmp_path: Path) -> None:
    """It has the same tables and indexes, however it came to them."""
    version_1(tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        prepare(tmp_path / name, 1.0)
    assert shape(tmp_path / "old.db") == shape(tmp_path / "new.db")


def test_many_may_upgrade_the_file_at_once(tmp_path: Path) -> None:
    """Workers that start together upgrade it once."""
    version_1(tmp_path / "runs.db")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: prepare(tmp_path / "runs.db", 10.0), range(8)))
    assert pragma(tmp_path / "runs.db", "user_version") == SCHEMA_VERSION


def test_a_new_file_can_shrink(tmp_path: Path) -> None:
    """Its free pages can be given back (INCREMENTAL is 2)."""
    prepare(tmp_path / "runs.db", 1.0)
    assert pragma(tmp_path / "runs.db", "auto_vacuum") == 2


def test_a_process_checks_what_cannot_be_done_without(tmp_path: Path) -> None:
    """Without the thorough look, a run that goes on and cannot be read is still found."""
    path = tmp_path / "runs.db"
    zeroed_middle(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="malformed"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_the_thorough_look_finds_damage_to_what_has_ended(tmp_path: Path) -> None:
    """A service does not start on it; a process of one that runs leaves it to whoever asks."""
    path = tmp_path / "runs.db"
    with closing(SqliteStore(path)) as store:
        for number in range(100):
            end(store, f"run {number}", 3.0, payload="x" * 3000)
    content = path.read_bytes()
    page = content.index(b"x" * 3000) // 4096 * 4096
    damaged = content[:page] + b"\xa5" * 4096 + content[page + 4096 :]
    path.write_bytes(damaged)
    with pytest.raises(SettingsError, match="is damaged"):
        prepare(path, 1.0)
    assert path.read_bytes() == damaged
    with closing(SqliteStore(path)) as store:
        store.add(new("a"), SOURCE)
        assert store.get("a") == new("a")


def test_a_lock_is_told_from_damage(tmp_path: Path) -> None:
    """Only a file that another process holds is worth another try."""
    path = tmp_path / "runs.db"
    prepare(path, 1.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SettingsError, match="locked") as caught:
            prepare(path, 0.01)
    assert is_locked(caught.value.__cause__)
    assert not is_locked(sqlite3.ProgrammingError())
    assert not is_locked(None)


def other_program(path: Path) -> None:
    """A database that is not ours."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")


def newer_schema(path: Path) -> None:
    """A file that a later release of this program has written."""
    prepare(path, 1.0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def not_sqlite(path: Path) -> None:
    """A text file."""
    path.write_text("dear diary, " * 1000)


def our_version_of_another_program(path: Path) -> None:
    """A database that is not ours, though its number is."""
    other_program(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def full(path: Path) -> None:
    """A store's file of some hundred kilobytes, with runs that ended and runs that go on."""
    with closing(SqliteStore(path)) as store:
        for number in range(100):
            store.add(new(f"run {number}", payload="x" * 3000), SOURCE)
            if number % 2:
                store.complete(f"run {number}", None, FINISH, 3.0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def cut_off(path: Path) -> None:
    """Its second half is missing."""
    full(path)
    os.truncate(path, path.stat().st_size // 2)


def cut_to_a_stump(path: Path) -> None:
    """Hardly anything is left."""
    full(path)
    os.truncate(path, 100)


def overwrite(path: Path, start: float, stop: float, byte: bytes) -> None:
    """Write over a stretch of a full file, given as parts of its length."""
    full(path)
    content = path.read_bytes()
    first, last = int(len(content) * start), int(len(content) * stop)
    path.write_bytes(content[:first] + byte * (last - first) + content[last:])


def zeroed_header(path: Path) -> None:
    """The first sector was never written, or lost."""
    overwrite(path, 0.0, 0.001, b"\0")


def spoiled_schema(path: Path) -> None:
    """The first page is sound for 100 bytes only."""
    full(path)
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 3996 + content[4096:])


def zeroed_middle(path: Path) -> None:
    """A stretch in the middle was never written."""
    overwrite(path, 0.3, 0.7, b"\0")


def spoiled_end(path: Path) -> None:
    """The last third is something else."""
    overwrite(path, 0.67, 1.0, b"\xa5")


def without_a_table(path: Path) -> None:
    """Somebody dropped the journal."""
    full(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE step")


def spoiled_old_file(path: Path) -> None:
    """A file of version 1 that another program's table is in the way of."""
    version_1(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE source (whatever TEXT)")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (not_sqlite, "not a database"),
        (newer_schema, "schema version 3"),
        (other_program, "another program"),
        (our_version_of_another_program, "no such table: instance"),
        (cut_off, "malformed"),
        (cut_to_a_stump, "malformed|not a database"),
        (zeroed_header, "not a database"),
        (spoiled_schema, "malformed"),
        (zeroed_middle, "malformed|damaged"),
        (spoiled_end, "malformed|damaged"),
        (without_a_table, "no such table: step"),
        (spoiled_old_file, "source already exists"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_untouched(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    """What is not a store of this version is named, explained, and left as it is."""
    path = tmp_path / "runs.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=f"runs.db .*({reason})"):
        prepare(path, 1.0)
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["runs.db"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A path that is a folder is named, not a traceback."""
    with pytest.raises(SettingsError, match=tmp_path.name):
        prepare(tmp_path, 1.0)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    """A folder that cannot be made is named, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be opened"):
        prepare(tmp_path / "file" / "runs.db", 1.0)
