"""A world in which flows have a SQLite database, ``shop``, with a table of items."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.database.contract import DatabaseError
from app.engine.interpreter import Interpreter
from app.language.inputs import coerce
from app.runtime.journal import Journal
from app.runtime.record import StepRecord
from tests.database import suite
from tests.engine import world as engine


class SqlWorld(engine.World):
    """Its clock is the real one: databases measure on it."""

    def __init__(self, root: Path, **databases: str) -> None:
        super().__init__()
        declared = {"shop": "sqlite:///shop.db", **databases}
        self.sql = suite.World(root, {n: suite.declare(url) for n, url in declared.items()})
        self.dependencies = replace(
            self.dependencies,
            monotonic=time.monotonic,
            sleep=time.sleep,
            databases=self.sql.databases,
        )
        self.sql.ask("create table items (id integer primary key, name text unique)")
        self.sql.ask("insert into items values (1, 'one'), (2, 'two')")

    @property
    def names(self) -> list[str]:
        """What the table holds, as everybody sees it."""
        return [name for (name,) in self.sql.ask("select name from items order by id").rows]

    def attempt(
        self, text: str, records: Sequence[StepRecord] = (), dies_at: int = 10_000, **given: Any
    ) -> tuple[dict[str, Any], list[StepRecord]]:
        """One attempt of an async run: its outputs and its journal; it may die at a write."""
        program = engine.program(text)
        kept = {record.path: record for record in records}
        writes = 0

        def write(record: StepRecord) -> bool:
            nonlocal writes
            if writes == dies_at:
                raise Died(list(kept.values()))
            writes += 1
            kept[record.path] = record
            return True

        journal = Journal(
            attempt=1, started_at=0.0, seed="seed", records=records, write=write,
            clock=lambda: 0.0, stopping=lambda: False,
        )  # fmt: skip
        inputs = coerce(program.flow.inputs, given)
        interpreter = Interpreter(self.dependencies)
        try:
            outputs = interpreter.run(program, inputs, {}, "async_1", journal=journal)
        except Exception as error:
            error.records = list(kept.values())  # type: ignore[attr-defined]
            raise
        return outputs, list(kept.values())


class Died(BaseException):
    """The process died; ``records`` is the journal that it leaves."""

    def __init__(self, records: list[StepRecord]) -> None:
        super().__init__()
        self.records = records


class NoDatabase:
    """Databases that nobody may use any more."""

    def session(self, *_: Any) -> Any:
        raise DatabaseError("sql", "the database was asked again")
