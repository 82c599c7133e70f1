"""PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.database.contract import DatabaseError
from tests.database.suite import ServerTests, World
from tests.sql_servers import SqlServer


class TestPostgresql(ServerTests):
    slow = "select pg_sleep(30)"
    echo = "select :x::text"
    values: Mapping[str, Any] = {
        "1": 1, "1.50": 1.5, "7::numeric": 7, "0.1::float8": 0.1, "'text'": "text", "null": None,
        "true": True, "'\\x00ff'::bytea": "AP8=", "date '2024-02-29'": "2024-02-29",
        "timestamp '2024-02-29 12:30:00'": "2024-02-29T12:30:00",
        "timestamptz '2024-02-29 12:30:00+02' at time zone 'UTC'": "2024-02-29T10:30:00",
        "time '12:30'": "12:30:00", "interval '1 day 2 hours'": "26:00:00",
        "array[1, 2]": [1, 2], "'{\"a\": [1, null]}'::jsonb": {"a": [1, None]},
        "'6f9619ff-8b86-d011-b42d-00cf4fc964ff'::uuid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "inet '10.0.0.1'": "10.0.0.1",
    }  # fmt: skip

    @pytest.fixture(autouse=True)
    def server(self, postgresql: SqlServer) -> SqlServer:
        self.url = postgresql.url
        return postgresql

    @pytest.mark.parametrize("sql", ["'NaN'::float8", "'Infinity'::float8", "'NaN'::numeric"])
    def test_what_is_no_number_in_json_is_an_error(self, world: World, sql: str) -> None:
        """The message names the column."""
        with pytest.raises(DatabaseError, match="column `x` holds"):
            world.ask(f"select {sql} as x")

    def test_a_type_without_json_is_an_error(self, world: World) -> None:
        """The message says what to do."""
        with pytest.raises(DatabaseError, match=r"column `x` is of the type .* CAST"):
            world.ask("select int4range(1, 5) as x")
