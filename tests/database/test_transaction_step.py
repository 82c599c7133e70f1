"""The verb ``transaction``: all of its statements happen, or none; and once in an async run."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

from app.errors import FlowFailed, FlowTimeout, RunInterrupted
from tests.database.flows import Died, NoDatabase, SqlWorld

ADD = "{sql: insert into items (name) values (:n), params: {n: %s}, mode: execute}"


def flow(inside: str, after: str = "", keys: str = "", top: str = "mode: sync") -> str:
    """A flow with a transaction of these steps."""
    block = textwrap.indent(textwrap.dedent(inside).strip(), " " * 6)
    rest = textwrap.indent(textwrap.dedent(after).strip(), " " * 2)
    head = f"{top}\noutputs: {{n: integer, names: list, error: string}}\nsteps:\n"
    keyed = textwrap.indent(textwrap.dedent(keys).strip(), " " * 4)
    return f"{head}  - transaction:\n{block}\n    database: shop\n{keyed}\n{rest}\n"


DEFINING = flow(
    """
    - {id: add, sql: insert into items (name) values ('x') returning id, mode: value}
    - set: {number: "${steps.add.value * 10}"}
    - if: vars.number == 30
      then:
        - id: all
          sql: select name from items order by id
    """,
    """
    - return:
        n: ${vars.number}
        names: ${default(steps.all.rows, [])}
    """,
    top="mode: async",
)
DEFINED = {"n": 30, "names": [{"name": "one"}, {"name": "two"}, {"name": "x"}], "error": None}


def test_what_a_block_defines_can_be_read_behind_it(world: SqlWorld) -> None:
    """Results and variables outlive the block."""
    assert world.run(DEFINING) == DEFINED
    assert world.names == ["one", "two", "x"]


@pytest.mark.parametrize(("end", "error"), [
    ("- {sql: select nonsense}", "step `sql`: database `shop`: no such column"),
    ("- set: {x: '${1 / len(inputs.n)}'}", "step `set`: "),
    ("- fail: {message: enough}", "enough"),
])  # fmt: skip
def test_a_failure_undoes_the_block(world: SqlWorld, end: str, error: str) -> None:
    """A step that fails, an expression that fails and ``fail`` itself."""
    text = "inputs: {n: {type: list, default: []}}\n" + flow(f"- {ADD % 'x'}\n{end}")
    with pytest.raises(FlowFailed) as caught:
        world.run(text)
    assert error in caught.value.public
    assert world.names == ["one", "two"]


def test_time_that_is_over_undoes_the_block(world: SqlWorld) -> None:
    """Nothing is committed after the deadline."""
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    text = flow(f"- {ADD % 'x'}\n- sql: {slow}", top="timeout: 400ms")
    with pytest.raises(FlowTimeout):
        world.run(text)
    assert world.names == ["one", "two"]


def test_return_commits(world: SqlWorld) -> None:
    """A flow that has its result has done its work."""
    assert world.run(flow(f"- {ADD % 'x'}\n- return: {{n: 7}}"))["n"] == 7
    assert world.names == ["one", "two", "x"]


def test_a_handler_inside_keeps_the_rest(world: SqlWorld) -> None:
    """A failure that is handled inside undoes one statement."""
    again = f"{ADD % 'one'}"[:-1] + ", on_error: continue}"
    world.run(flow(f"- {ADD % 'x'}\n- {again}\n- {ADD % 'y'}"))
    assert world.names == ["one", "two", "x", "y"]


def test_a_handler_behind_the_block_finds_nothing_of_it(world: SqlWorld) -> None:
    """What was rolled back is not defined any more either."""
    text = flow(
        """
        - {id: add, sql: insert into items (name) values ('x') returning id, mode: value}
        - set: {number: 5}
        - {sql: select nonsense}
        """,
        keys="""
        on_error:
          - set: {found: "${default(steps.add.value, 'no')} ${default(vars.number, 'no')}"}
          - return: {error: "${error.kind} ${vars.found}"}
        """,
    )
    assert world.run(text)["error"] == "sql no no"


def test_a_block_can_be_repeated(world: SqlWorld) -> None:
    """A conflict repeats the whole block, if it says ``retry``."""
    rounds = []

    class Conflicting:
        def session(self, *arguments: object) -> object:
            rounds.append(1)
            if len(rounds) < 3:
                from app.database.contract import DatabaseError

                raise DatabaseError("conflict", "a deadlock")
            return world.sql.databases.session(*arguments)  # type: ignore[arg-type]

    world.dependencies = replace(world.dependencies, databases=Conflicting())
    world.run(flow(f"- {ADD % 'x'}", keys="retry: {times: 2, delay: 1ms}"))
    assert (len(rounds), world.names) == (3, ["one", "two", "x"])


ENDS = {
    "to its end": DEFINING,
    "by return": flow(f"- {ADD % 'x'}\n- return: {{n: 7}}", top="mode: async"),
    "by fail": flow(f"- {ADD % 'x'}\n- fail: {{message: enough, code: 7}}", top="mode: async"),
    "by an error": flow(f"- {ADD % 'x'}\n- {ADD % 'one'}", top="mode: async"),
}


@pytest.mark.parametrize("text", ENDS.values(), ids=ENDS)
def test_a_replay_comes_to_the_same(world: SqlWorld, text: str) -> None:
    """However a block ended, a replay restores that, and does not ask the database."""
    first, records = ending(world, text)
    names = world.names
    world.dependencies = replace(world.dependencies, databases=NoDatabase())
    assert ending(world, text, records) == (first, records)
    assert world.names == names
    assert len(records) == 1


def ending(world: SqlWorld, text: str, records: object = ()) -> tuple[object, list[object]]:
    """How an attempt ended, and its journal."""
    try:
        outputs, written = world.attempt(text, records)  # type: ignore[arg-type]
        return outputs, list(written)
    except FlowFailed as error:
        return (error.public, error.code), error.records  # type: ignore[attr-defined]


@pytest.mark.parametrize("write", range(2))
def test_a_crash_leaves_all_or_nothing(world: SqlWorld, write: int) -> None:
    """A process that dies before the block leaves nothing, one that dies behind it everything."""
    with pytest.raises(Died) as caught:
        world.attempt(DEFINING, dies_at=write)
    assert world.names == [["one", "two"], ["one", "two", "x"]][write]
    if write == 0:
        assert world.attempt(DEFINING, caught.value.records)[0] == DEFINED
    else:
        with pytest.raises(RunInterrupted):
            world.attempt(DEFINING, caught.value.records)
