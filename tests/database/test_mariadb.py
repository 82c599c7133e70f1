"""MariaDB, which also stands for MySQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.database.suite import ServerTests
from tests.sql_servers import SqlServer


class TestMariadb(ServerTests):
    slow = "select sleep(30)"
    values: Mapping[str, Any] = {
        "1": 1, "1.50": 1.5, "cast(7 as decimal(20, 0))": 7, "cast(0.1 as double)": 0.1,
        "'text'": "text", "null": None, "true": 1, "x'00ff'": "AP8=",
        "date '2024-02-29'": "2024-02-29", "timestamp '2024-02-29 12:30:00'": "2024-02-29T12:30:00",
        "time '-30:15:00'": "-30:15:00", "json_array(1, 'a')": '[1, "a"]',
    }  # fmt: skip

    @pytest.fixture(autouse=True)
    def server(self, mariadb: SqlServer) -> SqlServer:
        self.url = mariadb.url
        return mariadb
