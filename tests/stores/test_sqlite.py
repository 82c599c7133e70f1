"""The SQLite store keeps the contract, between processes and on bad days too."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from app.errors import Busy
from app.runs.run import Claim, RunRecord, Status
from app.runs.store import Store
from app.runs.stores import sqlite_statements as statements
from app.runs.stores.sqlite import Operation, SqliteStore
from app.runs.stores.sqlite_file import SCHEMA_VERSION, journal_mode, prepare
from tests.stores.calls import READS, RUNNING, WRITES, content, furnish
from tests.stores.suite import FINISH, MANY, SOURCE, StoreSuite, end, new, step

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
        assert all(store.get(run_id) == new(run_id) for run_id in answered)


def test_processes_claim_a_run_once(path: Path, store: SqliteStore) -> None:
    """Processes that claim the same runs at once divide them without an overlap."""
    count = 40
    for number in range(count):
        store.add(new(f"run {number}"), SOURCE)
    with ExitStack() as stack:
        claimers = [stack.enter_context(program("claim_all", path, count)) for _ in range(3)]
        for claimer in claimers:
            assert pipe(claimer.stdout).readline() == "ready\n"
        for claimer in claimers:
            go(claimer)
        claimed = [pipe(claimer.stdout).readline().strip() for claimer in claimers]
    ids = [run_id for line in claimed for run_id in line.split(",") if run_id]
    assert sorted(ids) == sorted(f"run {number}" for number in range(count))


def test_a_store_is_made_before_a_fork_but_not_used(path: Path) -> None:
    """Both sides of a fork may use a store made before it; one that was in use is refused."""
    with program("fork", path) as process:
        refusal, _ = process.communicate(timeout=30)
        assert process.returncode == 0
    assert refusal == "this store was used before the process was forked\n"
    with closing(SqliteStore(path)) as store:
        ids = [f"{who} {number}" for who in ("parent", "child") for number in range(20)]
        assert all(store.get(run_id) is not None for run_id in ids)


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


def test_a_full_disk_is_busy_and_heals(tmp_path: Path) -> None:
    """What does not fit is refused and leaves no trace; when there is room again, it goes on."""
    with program("full_disk", tmp_path) as process:
        assert pipe(process.stdout).read() == "".join(f"{name} busy\n" for name in WRITES)
        assert process.wait(30) == 0


@pytest.fixture
def hasty(path: Path) -> Iterator[SqliteStore]:
    """A furnished store with hardly any patience."""
    with closing(SqliteStore(path, timeout=30)) as store:
        furnish(store)
    with closing(SqliteStore(path, timeout=0.2)) as store:
        yield store


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_lock_is_busy_and_heals(
    path: Path, hasty: SqliteStore, write: Callable[[Store], object]
) -> None:
    """While another process keeps the lock, a write is refused in time; it never happens later."""
    before = content(hasty)
    with locked(path, "IMMEDIATE"):
        with pytest.raises(Busy):
            write(hasty)
        assert content(hasty) == before
    assert content(hasty) == before
    write(hasty)
    assert content(hasty) != before


@WITHOUT_WAL
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_readers_hear_busy_when_nothing_can_be_read(
    path: Path, hasty: SqliteStore, read: Callable[[Store], object]
) -> None:
    """While another process keeps even readers out, a read is refused in time, and then heals."""
    with locked(path, "EXCLUSIVE"), pytest.raises(Busy):
        read(hasty)
    assert read(hasty)


@WITHOUT_WAL
def test_a_store_is_opened_while_the_file_is_locked(path: Path, hasty: SqliteStore) -> None:
    """A process that starts meanwhile says busy until the lock is gone, and does not go down."""
    with locked(path, "EXCLUSIVE"):
        late = SqliteStore(path, timeout=0.1)
        with pytest.raises(Busy):
            late.get("queued")
    with closing(late):
        assert content(late) == content(hasty)


def test_a_newer_file_in_its_place_is_not_touched(path: Path, store: SqliteStore) -> None:
    """A file that took the place of the one that was checked is checked before it is used."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(Busy):
        store.get("a")
    with pytest.raises(Busy):
        store.add(new("a"), SOURCE)
    assert path.read_bytes() == before


@WITHOUT_WAL
def test_a_commit_that_readers_hold_up_is_busy_and_heals(path: Path, store: SqliteStore) -> None:
    """While another process goes on reading, a write is refused in time and taken back."""
    store.add(new("a"), SOURCE)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM instance").fetchall()
        with pytest.raises(Busy):
            store.add(new("b"), SOURCE)
    assert store.get("b") is None
    store.add(new("b"), SOURCE)


def test_a_damaged_file_is_busy_and_heals(path: Path, store: SqliteStore) -> None:
    """Damage at run time refuses calls; a file that is put back is used again."""
    good = path.read_bytes()
    path.write_bytes(b"\xff" * len(good))
    with pytest.raises(Busy):
        store.add(new("a"), SOURCE)
    with pytest.raises(Busy):
        store.get("a")
    path.write_bytes(good)
    store.add(new("a"), SOURCE)
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
        RunRecord("a", "key", "v1", Status.INIT, float("nan"), None),
        RunRecord("a", {}, "v1", Status.INIT, 1.0, None),  # type: ignore[arg-type]
        RunRecord("a", 2**70, "v1", Status.INIT, 1.0, None),  # type: ignore[arg-type]
    ],
    ids=["surrogate-id", "surrogate-payload", "nan", "object", "integer"],
)
def test_a_misfit_harms_only_itself(path: Path, store: SqliteStore, misfit: RunRecord) -> None:
    """A value that SQLite cannot keep fails its own call; those in the same batch are kept."""
    others = [new(f"other {number}") for number in range(10)]
    with ThreadPoolExecutor(11) as pool:
        with locked(path, "IMMEDIATE"):
            first = [pool.submit(store.add, other, SOURCE) for other in others[:5]]
            failing = pool.submit(store.add, misfit, SOURCE)
            then = [pool.submit(store.add, other, SOURCE) for other in others[5:]]
        for adding in first + then:
            adding.result()
        assert not isinstance(failing.exception(), Busy | None)
    assert [store.get(other.id) for other in others] == others
    assert store.get("a") is None


def test_stores_of_one_file_see_each_other(path: Path, store: SqliteStore) -> None:
    """What one process wrote, another reads, also after a restart."""
    store.add(new("a"), SOURCE)
    with closing(SqliteStore(path)) as other:
        assert other.claim("a", "one", 2.0) == store.get("a")
        assert other.complete("a", None, FINISH, 3.0)
    ended = store.get("a")
    assert ended is not None
    assert ended.outcome == FINISH


def test_the_file_is_private(path: Path, store: SqliteStore) -> None:
    """Inputs may be private: only the owner reads the folder and the file."""
    store.add(new("a"), SOURCE)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("misfit", [new("\ud800"), new("then", "\udfff")])
def test_an_end_with_a_misfit_did_not_happen(store: SqliteStore, misfit: RunRecord) -> None:
    """A run ends with the one that follows, or not at all."""
    furnish(store)
    before = content(store)
    with pytest.raises(ValueError, match="surrogates"):
        store.complete("running", RUNNING, FINISH, 3.0, misfit, SOURCE)
    assert content(store) == before
    assert store.complete("running", RUNNING, FINISH, 3.0)


def test_an_adoption_with_a_misfit_did_not_happen(store: SqliteStore) -> None:
    """Runs are taken over together, or not at all."""
    furnish(store)
    before = content(store)
    with pytest.raises(ValueError, match="surrogates"):
        store.adopt([RUNNING, Claim("\ud800", "one", 1)], "two")
    assert content(store) == before


def test_pruning_drops_sources_and_gives_space_back(path: Path, store: SqliteStore) -> None:
    """After the runs and the texts nobody needs, the file shrinks by what they took."""
    store.add(new("a", source="needed"), SOURCE)
    empty = pragma(path, "page_count")
    for number in range(5):
        end(store, f"run {number}", 3.0, payload="x" * 400_000, source=f"text {number}")
    assert pragma(path, "page_count") > empty + 400
    assert store.prune(4.0, 0, MANY) == 5
    assert pragma(path, "freelist_count") == 0
    assert pragma(path, "page_count") <= empty + 1
    assert store.source("text 0") is None
    assert store.source("needed") == SOURCE


def test_a_file_that_cannot_shrink_is_pruned(path: Path) -> None:
    """An old file without auto_vacuum keeps its size, and uses its pages again."""
    with closing(sqlite3.connect(path_for_old_file(path))) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    with closing(SqliteStore(path)) as store:
        for number in range(5):
            end(store, f"run {number}", 3.0, payload="x" * 400_000)
        size = pragma(path, "page_count")
        assert store.prune(4.0, 0, MANY) == 5
        assert pragma(path, "freelist_count") > 400
        end(store, "again", 3.0, payload="x" * 400_000)
        assert pragma(path, "page_count") == size


def path_for_old_file(path: Path) -> Path:
    """The same path, with a store's file there."""
    prepare(path, 1.0)
    return path


def pragma(path: Path, name: str) -> int:
    """A number that SQLite keeps of the file."""
    with closing(sqlite3.connect(path)) as connection:
        number: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
        return number


def test_a_portion_is_small(path: Path, store: SqliteStore) -> None:
    """One transaction drops a bounded number of runs, fewer if they are large."""
    for number in range(4):
        end(store, f"large {number}", float(number), payload="x" * 600_000)
    for number in range(2 * statements.ROWS):
        end(store, f"run {number}", 10.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        line = statements.draw_line(connection, ended_before=20.0, keep=MANY)
        assert line is not None
        portions = [statements.drop(connection, line=line, limit=MANY) for _ in range(6)]
    assert portions == [2, 2, statements.ROWS, statements.ROWS, 0, 0]


QUERIES: Mapping[str, Operation[object]] = {
    "claim": partial(statements.claim, run_id="running", owner="one", now=2.0),
    "get": partial(statements.select, run_id="running"),
    "records": partial(statements.select_records, run_id="running", last=None),
    "record": partial(statements.record, claim=RUNNING, record=step("0")),
    "release": partial(statements.release, claim=RUNNING, owner=""),
    "adopt": partial(statements.adopt, claims=[RUNNING], owner="two"),
    "owners": statements.select_owners,
    "held": partial(statements.select_held, owners=["one", "two"], limit=9),
    "line": partial(statements.draw_line, ended_before=4.0, keep=0),
    "drop": partial(statements.drop, line=statements.PruneLine(4.0, 0), limit=9),
    "sources": statements.drop_sources,
    **{
        f"find {status} {key}": partial(statements.find, status=status, flow_key=key, limit=9)
        for status in (None, *Status)
        for key in (None, "x")
    },
}
"""What must not become slow as runs pile up that have ended."""


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_nothing_walks_the_whole_table(
    path: Path, store: SqliteStore, query: Operation[object]
) -> None:
    """Everything is found by an index; nothing but a list of those under way is sorted."""
    furnish(store)
    said: list[str] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.set_trace_callback(said.append)
        query(connection)
        connection.set_trace_callback(None)
        plans = [
            row[-1]
            for statement in said
            if not statement.startswith(("PRAGMA", "SAVEPOINT", "RELEASE"))
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    assert plans
    for plan in plans:
        assert not re.fullmatch(r"SCAN (TABLE )?(instance|step)", plan), plan
        assert "AUTOMATIC" not in plan
    if any("USE TEMP B-TREE FOR ORDER BY" in plan for plan in plans):
        assert any("instance_unended" in plan or "step" in plan for plan in plans)


def test_a_closed_store_is_busy(store: SqliteStore) -> None:
    """Who comes after close is refused, and nothing is started again."""
    store.close()
    with pytest.raises(Busy, match="closed"):
        store.add(new("a"), SOURCE)
