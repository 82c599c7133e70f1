"""What every database has to do: one suite, run against SQLite, MariaDB and PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog.services import _Scope
from app.database.contract import (
    DatabaseError,
    DatabaseSession,
    Query,
    QueryResult,
    TransactionOptions,
)
from app.database.named import NamedDatabases
from app.language.services.database import Database, DatabaseSchema
from app.language.sql import parse
from app.native_threads import direct

HOSTILE = [
    "'; drop table items; --", "\\'; drop table items; --", "' or '1'='1", '" or ""="', "%s", "%%",
    "%(x)s", ":x", "${inputs.x}", "\\", "\\\\", "'", "''", "/* */", "\u2028", "🦊", "a\nb", "",
]  # fmt: skip
NO_SURROGATES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


class World:
    """Databases as a process has them; ``declared`` may change."""

    def __init__(self, root: Path, declared: Mapping[str, Database]) -> None:
        self.declared = declared
        self.databases = NamedDatabases(
            lambda: self.declared, lambda: _Scope({}, {}), root=root, new_offload=lambda _: direct
        )

    def ask(self, sql: str, values: Mapping[str, Any] | None = None, **options: Any) -> QueryResult:
        """One statement in a transaction of its own."""
        name, seconds = options.get("name", "shop"), options.get("seconds", 10.0)
        with self.databases.session(name, TransactionOptions(left(seconds))) as session:
            return put(session, sql, values, options.get("max_rows", 100))

    def block(self, name: str = "shop", seconds: float = 10.0, *, forgiving: bool = False) -> Any:
        """A transaction of several statements."""
        return self.databases.session(name, TransactionOptions(left(seconds), True, forgiving))


def put(
    session: DatabaseSession, sql: str, values: Mapping[str, Any] | None = None, max_rows: int = 100
) -> QueryResult:
    """One statement in a session."""
    return session.run(Query(parse(sql), values or {}, max_rows))


def left(seconds: float) -> Callable[[], float]:
    """What is left of so many seconds from now on."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()


def declare(url: str, **keys: Any) -> Database:
    """An entry of ``databases:``."""
    database: Database = DatabaseSchema().load({"url": url, **keys})
    return database


class DatabaseTests:
    """Inherited by one class for each kind of database, which say how it differs."""

    url: str
    values: Mapping[str, Any]
    """Expressions of SQL → what they are in JSON."""
    slow: str
    """A query that takes half a minute."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[World]:
        declared = {
            "shop": declare(self.url, pool_size=2),
            "single": declare(self.url, pool_size=1),
            "reading": declare(self.url, read_only=True),
            "hurried": declare(self.url, timeout="300ms"),
        }
        world = World(tmp_path, declared)
        world.ask("drop table if exists items")
        world.ask("create table items (id integer primary key, name varchar(200) unique)")
        world.ask("insert into items (id, name) values (1, 'one'), (2, 'two'), (3, '100% :x')")
        yield world
        world.databases.close()

    def names(self, world: World) -> list[str]:
        return [name for (name,) in world.ask("select name from items order by id").rows]

    def test_values_are_json_values(self, world: World) -> None:
        """Each type of the database comes as the JSON value that people expect."""
        for sql, expected in self.values.items():
            [[value]] = world.ask(f"select {sql}").rows
            assert (sql, value, type(value)) == (sql, expected, type(expected))

    def test_rows_have_columns_and_changes_are_counted(self, world: World) -> None:
        """A query gives columns and rows, a change the number of rows."""
        answer = world.ask("select id, name as label from items where id < :top", {"top": 2})
        assert (answer.columns, answer.rows) == (("id", "label"), [(1, "one")])
        changed = world.ask("update items set name = name || '' where id < 3"
                            if self.url.startswith("sqlite") else
                            "update items set name = concat(name, '!') where id < 3")  # fmt: skip
        assert (changed.columns, changed.count) == (None, 2)

    def test_no_more_rows_are_read_than_asked_for(self, world: World) -> None:
        """One row more says that there are more; the connection can be used again."""
        for number in range(10, 40):
            world.ask(
                "insert into items (id, name) values (:n, :s)", {"n": number, "s": str(number)}
            )
        for _ in range(3):
            assert len(world.ask("select * from items", max_rows=5).rows) == 6
        assert len(world.ask("select * from items", max_rows=33).rows) == 33

    def test_marks_in_literals_stay_what_they_are(self, world: World) -> None:
        """Percent signs, colons and doubled quotes in a literal reach the database as written."""
        sql = "select '100% :x %s ''q''' , :x /* it :y */ -- %d :z\n"
        assert world.ask(sql, {"x": "v"}).rows == [("100% :x %s 'q'", "v")]
        assert world.ask("select '100% :x', 7 % 4").rows == [("100% :x", 3)]

    @pytest.mark.parametrize("text", HOSTILE)
    def test_a_parameter_is_never_text_of_the_statement(self, world: World, text: str) -> None:
        """Hostile texts are compared, stored and given back as they are."""
        world.ask("insert into items (id, name) values (9, :x)", {"x": text})
        found = world.ask("select name from items where name in (:xs)", {"xs": [text, "nobody"]})
        assert found.rows == [(text,)]
        assert len(self.names(world)) == 4

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(text=NO_SURROGATES)
    def test_any_text_comes_back(self, world: World, text: str) -> None:
        """What is sent as a parameter comes back as it was."""
        assert world.ask(self.echo, {"x": text}).rows == [(text,)]

    echo = "select :x"

    def test_scalars_are_parameters(self, world: World) -> None:
        """Numbers, flags and nothing are sent as such."""
        sql = "select name from items where id = :id and :yes = :yes and id * 1.0 < :top"
        assert world.ask(sql, {"id": 2, "yes": True, "top": 2.5}).rows == [("two",)]
        world.ask("insert into items (id, name) values (4, :none)", {"none": None})
        assert self.names(world)[-1] is None

    def test_a_value_that_does_not_fit_is_an_error(self, world: World) -> None:
        """A number that no column can hold fails the step, and nothing else."""
        with pytest.raises(DatabaseError) as caught:
            world.ask("insert into items (id, name) values (:id, 'x')", {"id": 10**40})
        assert caught.value.kind == "sql"
        assert len(self.names(world)) == 3

    def test_a_transaction_is_committed(self, world: World) -> None:
        """Statements of a block see each other, and others see them when it has ended."""
        with world.block() as session:
            put(session, "insert into items (id, name) values (4, 'four')")
            put(session, "update items set name = 'FOUR' where id = 4")
            assert put(session, "select name from items where id = 4").rows == [("FOUR",)]
            assert len(self.names(world)) == 3
        assert self.names(world)[3:] == ["FOUR"]

    def test_a_transaction_is_rolled_back(self, world: World) -> None:
        """When the block raises, nothing of it has happened."""
        for end in ("select nonsense from nowhere", "insert into items (id) values (1), (1)"):
            with pytest.raises(DatabaseError):
                self.carry_out(world, "delete from items", end)
        with pytest.raises(ZeroDivisionError):
            self.carry_out(world, "delete from items", lambda: 1 / 0)
        assert len(self.names(world)) == 3

    def carry_out(self, world: World, *steps: str | Callable[[], object]) -> None:
        """One transaction of these statements and functions."""
        with world.block() as session:
            for step in steps:
                put(session, step) if isinstance(step, str) else step()

    def test_a_failure_that_is_caught_undoes_one_statement(self, world: World) -> None:
        """A forgiving transaction goes on after a statement that failed."""
        with world.block(forgiving=True) as session:
            put(session, "insert into items (id, name) values (4, 'four')")
            with pytest.raises(DatabaseError) as caught:
                put(session, "insert into items (id, name) values (1, 'again')")
            put(session, "insert into items (id, name) values (5, 'five')")
        assert caught.value.kind == "integrity"
        assert self.names(world)[3:] == ["four", "five"]

    def test_an_error_says_what_and_where(self, world: World) -> None:
        """The database's own words, with its number, and the name that flows know."""
        with pytest.raises(DatabaseError, match=r"^database `shop`: .*nonsense.*\(.+\)$") as caught:
            world.ask("select nonsense from items")
        assert caught.value.kind == "sql"

    @pytest.mark.parametrize("sql", [
        "insert into items (id) values (77)", "delete from items", "drop table items",
        "create table others (id integer)",
    ])  # fmt: skip
    def test_a_read_only_database_refuses_changes(self, world: World, sql: str) -> None:
        """The database itself refuses, alone and in a block; queries work."""
        with pytest.raises(DatabaseError):
            world.ask(sql, name="reading")
        with pytest.raises(DatabaseError), world.block("reading") as session:
            put(session, sql)
        assert len(world.ask("select * from items", name="reading").rows) == 3

    def test_a_slow_statement_is_ended(self, world: World) -> None:
        """It ends when its time is over, and the pool goes on."""
        began = time.monotonic()
        with pytest.raises(DatabaseError) as caught:
            world.ask(self.slow, seconds=0.5)
        assert caught.value.kind == "timeout"
        assert 0.3 < time.monotonic() - began < 1.5
        assert len(self.names(world)) == 3

    def test_a_database_can_have_a_limit_of_its_own(self, world: World) -> None:
        """``timeout`` bounds each statement where the step has more time."""
        began = time.monotonic()
        with pytest.raises(DatabaseError) as caught:
            world.ask(self.slow, name="hurried")
        assert caught.value.kind == "timeout"
        assert time.monotonic() - began < 1.3

    def test_a_lock_is_waited_for_no_longer_than_allowed(self, world: World) -> None:
        """A row that another transaction has changed: the second one ends in time."""
        with world.block() as first:
            put(first, "update items set name = 'first' where id = 1")
            began = time.monotonic()
            with pytest.raises(DatabaseError) as caught, world.block(seconds=0.6) as second:
                put(second, "update items set name = 'second' where id = 1")
            assert caught.value.kind == "timeout"
            assert time.monotonic() - began < 1.8
        assert self.names(world)[0] == "first"

    def test_two_that_wait_for_each_other_end(self, world: World) -> None:
        """Of two transactions in a deadlock one succeeds, and the other one may be repeated."""
        assert tuple(sorted(self._cross(world))) == self.ends

    ends = ("conflict", "done")
    """Of two transactions that change the same two rows, each the other one first."""

    def _cross(self, world: World) -> list[str]:
        ends: list[str] = []
        gate = threading.Barrier(2, timeout=20)

        def work(first: int, second: int) -> None:
            try:
                with world.block(seconds=5) as session:
                    put(session, "update items set name = :n where id = :id",
                        {"id": first, "n": f"{first}-{second}"})  # fmt: skip
                    self.meet(gate)
                    put(session, "update items set name = :n where id = :id",
                        {"id": second, "n": f"{second}-{first}!"})  # fmt: skip
                ends.append("done")
            except DatabaseError as error:
                ends.append(error.kind)

        threads = [threading.Thread(target=work, args=pair) for pair in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return ends

    def meet(self, gate: threading.Barrier) -> None:
        """Wait until both have changed a row."""
        gate.wait()

    def test_a_pool_that_is_used_up_says_so(self, world: World) -> None:
        """Who gets no connection in time is told; the next one gets it."""
        with world.block("single"):
            began = time.monotonic()
            with pytest.raises(DatabaseError, match="all 1 connections are in use") as caught:
                world.ask("select 1", name="single", seconds=0.3)
            assert caught.value.kind == "timeout"
            assert time.monotonic() - began < 1
        assert world.ask("select 1", name="single").rows == [(1,)]

    def test_many_at_once_share_the_pool(self, world: World) -> None:
        """Twenty callers on two connections all get their own answer."""
        answers: list[int] = []

        def work(number: int) -> None:
            answers.append(int(world.ask("select :n + 0", {"n": number}).rows[0][0]))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(answers) == list(range(20))

    def test_a_database_that_changed_gets_a_new_pool(self, world: World) -> None:
        """Connections of the old one are closed, one in use when it comes back."""
        with world.block() as session:
            put(session, "select 1")
            old = world.databases._pools["shop"]
            world.declared = {"shop": declare(self.url, pool_size=3)}
            world.databases.refresh()
            put(session, "insert into items (id) values (50)")
        assert old._engine.pool.checkedin() == 0  # type: ignore[attr-defined]
        assert len(self.names(world)) == 4
        world.declared = {"shop": declare(self.url, pool_size=3)}
        kept = world.databases._pools["shop"]
        world.databases.refresh()
        assert len(self.names(world)) == 4
        assert world.databases._pools["shop"] is kept

    def test_an_unknown_database_is_an_error(self, world: World) -> None:
        """A name that nothing is declared by, and no name where there are several."""
        with pytest.raises(DatabaseError, match="there is no database `crm`"):
            world.ask("select 1", name="crm")
        with pytest.raises(DatabaseError, match="names 4 databases"):
            world.ask("select 1", name=None)


class ServerTests(DatabaseTests):
    """What goes on between a client and a server."""

    def test_a_restart_goes_unnoticed(self, world: World, server: Any) -> None:
        """Connections that were closed meanwhile are replaced before anything is done."""
        assert len(self.names(world)) == 3
        with world.block() as session:
            put(session, "select 1")
            assert len(self.names(world)) == 3
        server.kill()
        with pytest.raises(DatabaseError) as caught:
            world.ask("select 1", seconds=3)
        assert caught.value.kind == "connection", caught.value.message
        server.start()
        assert len(self.names(world)) == 3

    def test_a_wrong_password_is_a_connection_error(self, world: World) -> None:
        """It does not show the password."""
        world.declared = {"shop": declare(self.url.replace("s3cret", "wr0ng"))}
        with pytest.raises(DatabaseError) as caught:
            world.ask("select 1")
        assert caught.value.kind == "connection"
        assert "wr0ng" not in caught.value.message

    def test_a_server_that_falls_silent_is_left(self, world: World, silent: Any) -> None:
        """When nothing comes back, the step ends all the same."""
        url = self.url.replace(str(silent.target), str(silent.port))
        world.declared = {"shop": declare(url)}
        assert world.ask("select 1").rows == [(1,)]
        silent.is_silent = True
        began = time.monotonic()
        with pytest.raises(DatabaseError) as caught:
            world.ask("select 1", seconds=0.5)
        assert caught.value.kind == "timeout"
        assert time.monotonic() - began < 2.5
