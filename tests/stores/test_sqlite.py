"""The SQLite store keeps the contract, between processes and on bad days too."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from app.errors import Busy
from app.instance import Instance, Outcome, Status
from app.stores.sqlite import SqliteStore
from app.stores.sqlite_file import journal_mode
from tests.stores.suite import FINISH, StoreSuite, new

ROOT = Path(__file__).parents[2]
WITHOUT_WAL = pytest.mark.skipif(
    journal_mode(sqlite3.sqlite_version_info) == "WAL",
    reason="with WAL, readers and writers do not wait for each other",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the store, in a folder that does not exist yet."""
    return tmp_path / "instance" / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store on the file, with little patience."""
    with closing(SqliteStore(path, timeout=1.0)) as store:
        yield store


class TestSqliteStore(StoreSuite):
    """The suite, on a file."""

    @pytest.fixture
    def store(self, path: Path) -> Iterator[SqliteStore]:
        with closing(SqliteStore(path, timeout=30)) as store:
            yield store


@contextmanager
def program(name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A program of ``tests/stores/programs``, killed at the end if it still runs."""
    run_module = ["-m", "gevent.monkey", "--module"] if name == "greenlets" else ["-m"]
    module = f"tests.stores.programs.{name}"
    with subprocess.Popen(
        [sys.executable, *run_module, module, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def pipe(stream: IO[str] | None) -> IO[str]:
    """A stream of a program that was started with pipes."""
    assert stream is not None
    return stream


def go(process: subprocess.Popen[str]) -> None:
    """Write the line that the program waits for."""
    pipe(process.stdin).write("go\n")
    pipe(process.stdin).flush()


@contextmanager
def locked(path: Path, how: str) -> Iterator[None]:
    """Another's lock: IMMEDIATE keeps writers out, EXCLUSIVE readers too (but not with WAL)."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"BEGIN {how}")
        yield


def test_what_was_added_survives_a_kill(path: Path) -> None:
    """Every id that was answered before kill -9 is in the file."""
    with program("add_for_ever", path) as process:
        answered = [pipe(process.stdout).readline().strip() for _ in range(30)]
        process.kill()
        answered += pipe(process.stdout).read().split("\n")[:-1]
    with closing(SqliteStore(path)) as store:
        assert all(store.get(instance_id) == new(instance_id) for instance_id in answered)


def test_processes_claim_a_run_once(path: Path, store: SqliteStore) -> None:
    """Processes that claim the same runs at once divide them without an overlap."""
    count = 40
    for number in range(count):
        store.add(new(f"run {number}"))
    with ExitStack() as stack:
        claimers = [stack.enter_context(program("claim_all", path, count)) for _ in range(3)]
        for claimer in claimers:
            assert pipe(claimer.stdout).readline() == "ready\n"
        for claimer in claimers:
            go(claimer)
        claimed = [pipe(claimer.stdout).readline().strip() for claimer in claimers]
    ids = [instance_id for line in claimed for instance_id in line.split(",") if instance_id]
    assert sorted(ids) == sorted(f"run {number}" for number in range(count))


def test_a_store_is_made_before_a_fork_but_not_used(path: Path) -> None:
    """Both sides of a fork may use a store made before it; one that was in use is refused."""
    with program("fork", path) as process:
        refusal, _ = process.communicate(timeout=30)
        assert process.returncode == 0
    assert refusal == "this store was used before the process was forked\n"
    with closing(SqliteStore(path)) as store:
        ids = [f"{who} {number}" for who in ("parent", "child") for number in range(20)]
        assert all(store.get(instance_id) is not None for instance_id in ids)


def test_greenlets_go_on_while_the_file_is_locked(path: Path) -> None:
    """200 greenlets wait for a lock of one second; no other greenlet waits, and nothing is lost."""
    with program("greenlets", path) as process:
        assert pipe(process.stdout).readline() == "ready\n"
        with locked(path, "EXCLUSIVE"):
            go(process)
            assert pipe(process.stdout).readline() == "waiting\n"
            assert pipe(process.stdout).readline() == "release\n"
        longest, right = pipe(process.stdout).readline().split()
        assert process.wait(30) == 0
    assert right == "200"
    assert float(longest) < 0.5


def test_a_full_disk_is_busy_and_heals(path: Path) -> None:
    """What does not fit is refused and leaves no trace; when there is room again, it goes on."""
    with program("full_disk", path) as process:
        assert pipe(process.stdout).read() == "busy\n[True, False, True]\n"
        assert process.wait(30) == 0


def test_a_lock_is_busy_and_heals(path: Path, store: SqliteStore) -> None:
    """While another process keeps the lock, a write is refused in time; it never happens later."""
    store.add(new("before"))
    with locked(path, "IMMEDIATE"):
        with pytest.raises(Busy):
            store.add(new("refused"))
        assert store.get("before") == new("before")
    store.add(new("after"))
    assert store.get("refused") is None


@WITHOUT_WAL
def test_readers_hear_busy_when_nothing_can_be_read(path: Path, store: SqliteStore) -> None:
    """While another process keeps even readers out, a read is refused in time, and then heals."""
    store.add(new("a"))
    with locked(path, "EXCLUSIVE"), pytest.raises(Busy):
        store.get("a")
    assert store.get("a") == new("a")


@WITHOUT_WAL
def test_a_commit_that_readers_hold_up_is_busy_and_heals(path: Path, store: SqliteStore) -> None:
    """While another process goes on reading, a write is refused in time and taken back."""
    store.add(new("a"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM instance").fetchall()
        with pytest.raises(Busy):
            store.add(new("b"))
    assert store.get("b") is None
    store.add(new("b"))


def test_a_damaged_file_is_busy_and_heals(path: Path, store: SqliteStore) -> None:
    """Damage at run time refuses calls; a file that is put back is used again."""
    good = path.read_bytes()
    path.write_bytes(b"\xff" * len(good))
    with pytest.raises(Busy):
        store.add(new("a"))
    with pytest.raises(Busy):
        store.get("a")
    path.write_bytes(good)
    store.add(new("a"))
    assert store.get("a") == new("a")


def test_a_vanished_file_is_busy(path: Path, store: SqliteStore) -> None:
    """A file that is gone when it is first used is not silently replaced by an empty one."""
    path.unlink()
    with pytest.raises(Busy):
        store.get("a")
    assert not path.exists()


@pytest.mark.parametrize(
    "misfit",
    [
        new("\ud800"),
        new("a", "\udfff"),
        Instance("a", "key", "v1", Status.INIT, float("nan"), None),
        Instance("a", {}, "v1", Status.INIT, 1.0, None),  # type: ignore[arg-type]
        Instance("a", 2**70, "v1", Status.INIT, 1.0, None),  # type: ignore[arg-type]
    ],
    ids=["surrogate-id", "surrogate-payload", "nan", "object", "integer"],
)
def test_a_misfit_harms_only_itself(path: Path, store: SqliteStore, misfit: Instance) -> None:
    """A value that SQLite cannot keep fails its own call; those in the same batch are kept."""
    others = [new(f"other {number}") for number in range(10)]
    with ThreadPoolExecutor(11) as pool:
        with locked(path, "IMMEDIATE"):
            first = [pool.submit(store.add, other) for other in others[:5]]
            failing = pool.submit(store.add, misfit)
            then = [pool.submit(store.add, other) for other in others[5:]]
        for adding in first + then:
            adding.result()
        assert not isinstance(failing.exception(), Busy | None)
    assert [store.get(other.id) for other in others] == others
    assert store.get("a") is None


def test_stores_of_one_file_see_each_other(path: Path, store: SqliteStore) -> None:
    """What one process wrote, another reads, also after a restart."""
    store.add(new("a"))
    with closing(SqliteStore(path)) as other:
        assert other.claim("a", 2.0) == store.get("a")
        assert other.complete("a", FINISH, 3.0)
    ended = store.get("a")
    assert ended is not None
    assert ended.outcome == FINISH


def test_the_file_is_private(path: Path, store: SqliteStore) -> None:
    """Inputs may be private: only the owner reads the folder and the file."""
    store.add(new("a"))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_unended_runs_are_found_by_their_index(path: Path, store: SqliteStore) -> None:
    """The runs that have not ended are found without reading those that have."""
    for number in range(5):
        store.add(new(f"run {number}"))
    store.claim("run 0", 2.0)
    store.complete("run 0", Outcome(Status.ABORT), 3.0)
    query = "SELECT id FROM instance WHERE status = 'INIT' AND ended_at IS NULL ORDER BY created_at"
    with closing(sqlite3.connect(path)) as connection:
        assert len(connection.execute(query).fetchall()) == 4
        [plan] = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert "USING INDEX instance_unended (status=?)" in plan[-1]


def test_a_closed_store_is_busy(store: SqliteStore) -> None:
    """Who comes after close is refused, and nothing is started again."""
    store.close()
    with pytest.raises(Busy, match="closed"):
        store.add(new("a"))
