"""SQLite files."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.database.suite import DatabaseTests


class TestSqlite(DatabaseTests):
    ends = ("done", "done")
    url = "sqlite:///shop.db"
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    values: Mapping[str, Any] = {
        "1": 1, "1.5": 1.5, "'text'": "text", "null": None, "x'00ff'": "AP8=",
        "9223372036854775807": 9223372036854775807, "date('2024-02-29')": "2024-02-29",
    }  # fmt: skip

    def meet(self, gate: threading.Barrier) -> None:
        """There is one writer at a time: the second one waits before it has changed anything."""
        with suppress(threading.BrokenBarrierError):
            gate.wait(0.2)
