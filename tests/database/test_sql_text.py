"""Statements: their parameters, and that every database reads them alike."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.language.sql import Statement, parse

QUOTED = ["'a :x'", '"b :x"', "`c :x`", "'it''s :x'", "$$ :x $$", "$t$ ':x $t$", "/* :x ' */",
          "-- :x '\n", "a::x", "'12:30'", "t[1:x]", "'100%'", "@v := 1"]  # fmt: skip
PIECES = st.lists(st.sampled_from([*QUOTED, ":x", ":long_name1", "select", ",", "(", ")", "+"]))


def rendered(statement: Statement, **values: object) -> tuple[str, dict[str, object]]:
    """As a driver gets it."""
    return statement.render("<{}>".format, str, values)


@given(PIECES)
def test_parameters_are_found_outside_of_literals_only(pieces: list[str]) -> None:
    """However literals, comments and parameters are mixed."""
    text = "select " + " ".join(pieces)
    text, _ = rendered(parse(text), x=1, long_name1=2)
    wanted = [{":x": "<x>", ":long_name1": "<long_name1>"}.get(each, each) for each in pieces]
    assert text == "select " + " ".join(wanted)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever it is; what is read comes out as it was, without its semicolon."""
    with suppress(ValidationError):
        check_parsed(text, parse(text))


def check_parsed(text: str, statement: Statement) -> None:
    """The pieces of a statement are its text."""
    values = {name.name: 0 for name in statement.names}
    again, _ = statement.render(lambda name: f":{name}", str, values)
    assert text.startswith(again)


def test_a_list_becomes_as_many_parameters() -> None:
    """Each with a name of its own; twice named, they are sent once."""
    text, values = rendered(parse("select :a, :b where x in (:a)"), a=[7, 8], b=None)
    assert text == "select <a__0>, <a__1>, <b> where x in (<a__0>, <a__1>)"
    assert values == {"a__0": 7, "a__1": 8, "b": None}


@pytest.mark.parametrize(("text", "only_reads", "gives_rows"), [
    ("select 1", True, True),
    ("(select 1) union (select 2)", True, True),
    ("with x as (select 1) select * from x", True, True),
    ("with x as (delete from t returning id) select * from x", False, True),
    ("select * into copy from t", False, True),
    ("insert into t values (1)", False, False),
    ("insert into t values (1) returning id", False, True),
    ("values (1), (2)", True, True),
    ("explain select 1", False, True),
])  # fmt: skip
def test_what_a_statement_does(text: str, only_reads: bool, gives_rows: bool) -> None:
    """Whether it only reads, and whether it gives rows."""
    statement = parse(text)
    assert (statement.only_reads, statement.gives_rows) == (only_reads, gives_rows)


@pytest.mark.parametrize("text", [
    "select 'a\\' , :x , ' b'", 'select "a\\"', "select 1 # it's", "select 1 # /* ",
    "select 5--:x", "select /* /* */ :x */", "select 'open", "select $a$ open $b$", "/* open",
    "commit", "BEGIN", "/* first */ rollback", "set x = 1", "use other", "attach 'x' as y",
    "lock tables t write", "select 1; select 2", "select 1; :x", "", " -- nothing\n",
])  # fmt: skip
def test_what_databases_would_read_differently_is_refused(text: str) -> None:
    """And what is not one statement, or is about the connection."""
    with pytest.raises(ValidationError):
        parse(text)
