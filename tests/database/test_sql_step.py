"""The verb ``sql``: what its modes give, and what its failures say."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import FlowFailed, FlowTimeout
from tests.database.flows import SqlWorld


def result_of(world: SqlWorld, step: str, **inputs: Any) -> Any:
    """What ``steps.it`` is after a step."""
    wrapped = {name: {"v": value} for name, value in inputs.items()}
    body = "\n".join(f"    {line}" for line in step.strip().splitlines())
    text = f"inputs: {{{', '.join(f'{name}: object' for name in inputs)}}}\noutputs: {{it: object}}"
    return world.run(
        f"{text}\nsteps:\n  - id: it\n    database: shop\n{body}\n"
        '  - return: {it: "${steps.it}"}\n', **wrapped
    )["it"]  # fmt: skip


def test_rows(world: SqlWorld) -> None:
    """Each row is an object of its columns, and they are counted."""
    found = result_of(world, "sql: select id, name from items order by id")
    assert found == {"rows": [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}], "count": 2}


def test_one_row(world: SqlWorld) -> None:
    """A row is an object; where there is none, it is null."""
    step = "mode: one\nsql: select name from items where id = :id\nparams: {id: '${inputs.a.v}'}"
    assert result_of(world, step, a=2) == {"row": {"name": "two"}}
    assert result_of(world, step, a=7) == {"row": None}


def test_one_value(world: SqlWorld) -> None:
    """A value is the first column; where there is no row, it is null."""
    assert result_of(world, "mode: value\nsql: select count(*), 7 from items") == {"value": 2}
    assert result_of(world, "mode: value\nsql: select id from items where id = 9") == {
        "value": None
    }


def test_a_change_is_counted(world: SqlWorld) -> None:
    """``mode: execute`` gives the number of rows that were changed."""
    assert result_of(world, "mode: execute\nsql: delete from items where id < 9") == {"count": 2}
    assert world.names == []


def test_a_change_may_give_rows(world: SqlWorld) -> None:
    """``returning`` makes a change a query."""
    step = "mode: value\nsql: insert into items (name) values ('x') returning id"
    assert result_of(world, step) == {"value": 3}
    assert world.names[2:] == ["x"]


def test_a_list_is_several_parameters(world: SqlWorld) -> None:
    """A list stands for its items, wherever it is named."""
    step = "sql: select id from items where id in (:ids) or id in (0, :ids)\n" \
           "params: {ids: '${inputs.a.v}'}"  # fmt: skip
    assert result_of(world, step, a=[2, 5])["rows"] == [{"id": 2}]
    with pytest.raises(FlowFailed, match=r"empty list.*guard the step"):
        result_of(world, step, a=[])
    with pytest.raises(FlowFailed, match=r"a parameter is text, a number.*to_json"):
        result_of(world, step, a=[[1]])


@pytest.mark.parametrize(("step", "message"), [
    ("sql: select * from items\nmax_rows: 1", "more than 1 rows: write a LIMIT, or set"),
    ("sql: select * from items\nmode: one", "more than one row: write a LIMIT 1"),
    ("sql: select 1 as a, 2 as a", "two columns are called `a`: name one of them with AS"),
    ("sql: with x as (select 1 as i) update items set id = 9 where id in (select i from x)",
     "the statement gave no rows: the step needs `mode: execute`"),
    ("sql: select nonsense", "database `shop`: no such column: nonsense"),
])  # fmt: skip
def test_what_fails_says_what_to_do(world: SqlWorld, step: str, message: str) -> None:
    """The message names the step and the mistake."""
    with pytest.raises(FlowFailed) as caught:
        result_of(world, step)
    assert "step `it`: " in caught.value.public
    assert message in caught.value.public
    assert world.names == ["one", "two"]


def test_a_handler_sees_which_kind_it_was(world: SqlWorld) -> None:
    """A key that is taken can be told from other errors."""
    text = """
        inputs: {name: string}
        outputs: {kind: string}
        steps:
          - sql: insert into items (name) values (:name)
            database: shop
            params: {name: "${inputs.name}"}
            mode: execute
            on_error:
              - return: {kind: "${error.kind}"}
          - return: {kind: stored}
        """
    assert world.run(text, name="two") == {"kind": "integrity"}
    assert world.run(text, name="three") == {"kind": "stored"}


def test_a_message_shows_no_parameter(world: SqlWorld) -> None:
    """Whatever a database says of a value, whole or cut off."""
    step = "sql: select json(:text)\nmode: value\nparams: {text: '${inputs.a.v}'}"
    with pytest.raises(FlowFailed) as caught:
        result_of(world, step, a="{hidden")
    assert "hidden" not in caught.value.public


def test_a_statement_ends_with_the_flow(world: SqlWorld) -> None:
    """The time of the flow bounds a statement, as it bounds every step."""
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    with pytest.raises(FlowTimeout, match=r"the flow took longer than 0\.3 s"):
        world.run(f"timeout: 300ms\nsteps:\n  - sql: {slow}\n    database: shop\n")
    with pytest.raises(FlowFailed, match=r"took longer than 0\.2 s"):
        world.run(f"steps:\n  - sql: {slow}\n    database: shop\n    timeout: 200ms\n")


def test_the_database_may_be_left_out_where_there_is_one(world: SqlWorld) -> None:
    """With several, the step has to say which."""
    text = "outputs: {n: integer}\nsteps:\n  - {id: a, sql: select 5, mode: value}\n" \
           "  - return: {n: '${steps.a.value}'}\n"  # fmt: skip
    with pytest.raises(FlowFailed, match="names 2 databases: say `database`"):
        world.run(text)
    world.sql.declared = {"shop": world.sql.declared["shop"]}
    assert world.run(text) == {"n": 5}


def test_an_async_run_asks_once(world: SqlWorld) -> None:
    """A statement that was carried out is not carried out again by a replay."""
    text = """
        mode: async
        outputs: {n: integer}
        steps:
          - {id: a, database: shop, sql: insert into items (name) values ('x'), mode: execute}
          - return: {n: "${steps.a.count}"}
        """
    outputs, records = world.attempt(text)
    assert (outputs, world.names[2:]) == ({"n": 1}, ["x"])
    assert world.attempt(text, records)[0] == {"n": 1}
    assert world.names[2:] == ["x"]
