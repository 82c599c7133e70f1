"""The SQLite session: a batch is one transaction, all of it or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.runs.stores.sqlite import READ, WRITE, Operation, SqliteSession
from app.runs.stores.sqlite_file import prepare


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with our schema and a table for numbers."""
    prepare(tmp_path / "runs.db", 1.0)
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("CREATE TABLE number (value INTEGER)")
    return tmp_path / "runs.db"


@pytest.fixture
def session(path: Path) -> Iterator[SqliteSession]:
    """A session that writes."""
    with closing(SqliteSession(path, WRITE, lock_timeout=1.0)) as session:
        yield session


def insert(value: object) -> Operation[int]:
    """An operation that keeps a number and answers how many rows that made."""
    return lambda connection: connection.execute("INSERT INTO number VALUES (?)", (value,)).rowcount


def numbers(connection: sqlite3.Connection) -> list[int]:
    """An operation that reads all numbers."""
    return [value for (value,) in connection.execute("SELECT value FROM number")]


def try_to_write(path: Path) -> Callable[[object], str]:
    """An operation that tells whether another connection could write meanwhile."""

    def operation(_: object) -> str:
        with closing(sqlite3.connect(path, timeout=0)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                return str(error)
        return "free"

    return operation


def test_answers_come_in_order(session: SqliteSession) -> None:
    """Each operation's answer stands at its place, and sees what came before it."""
    assert session.perform([insert(1), insert(2), numbers]) == [1, 1, [1, 2]]


def test_a_batch_that_writes_has_the_lock_from_its_start(
    path: Path, session: SqliteSession
) -> None:
    """Nobody can write between the first read of a batch and its write."""
    answers = session.perform([numbers, try_to_write(path), insert(1)])
    assert answers == [[], "database is locked", 1]


def test_a_batch_that_reads_lets_others_begin_to_write(path: Path) -> None:
    """Readers do not take the write lock."""
    with closing(SqliteSession(path, READ, lock_timeout=1.0)) as reads:
        assert reads.perform([numbers, try_to_write(path)]) == [[], "free"]


def test_a_bug_undoes_the_batch(session: SqliteSession) -> None:
    """What is raised in the middle of a batch takes all of it back, and the next one works."""

    def broken(_: object) -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        session.perform([insert(1), broken])
    assert session.perform([numbers, insert(2), numbers]) == [[], 1, [2]]


def test_a_misfit_undoes_only_itself(session: SqliteSession) -> None:
    """A value that SQLite cannot keep is answered with its error; the others are committed."""
    first, misfit, last = session.perform([insert(1), insert(2**64), insert(3)])
    assert (first, last) == (1, 1)
    assert isinstance(misfit, OverflowError)
    assert session.perform([numbers]) == [[1, 3]]
