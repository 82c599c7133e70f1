"""The SQLite file: its journal, its making, and what is refused without being touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.stores.sqlite_file import SCHEMA_VERSION, connect, journal_mode, prepare


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


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (not_sqlite, "not a database"),
        (newer_schema, "schema version 2"),
        (other_program, "another program"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_untouched(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    """What is not a store of this version is named, explained, and left as it is."""
    path = tmp_path / "runs.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=f"runs.db .*{reason}"):
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
