"""The recipe of a report from a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.blackbox.client import eventually
from tests.blackbox.server import PROJECT
from tests.cookbook.recipe import Recipe, served
from tests.pages import blocks

OCTOBER = {"since": "2026-10-01", "until": "2026-10-31"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    """The recipe with the database that its page shows."""
    folder, page = tmp_path_factory.mktemp("report"), PROJECT / "docs" / "cookbook" / "report.md"
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.executescript("".join(blocks(page, "sql")))
    with served(folder, "report") as recipe:
        yield recipe


def orders(recipe: Recipe) -> int:
    """How many orders the database holds."""
    with closing(sqlite3.connect(recipe.server.folder / "shop.db")) as database:
        count: int = database.execute("select count(*) from orders").fetchone()[0]
        return count


def test_the_page(recipe: Recipe) -> None:
    """What a caller sends is a value; all orders are still there."""
    recipe.type_all()
    assert orders(recipe) == 5


def test_the_connection_refuses_changes(recipe: Recipe) -> None:
    """A flow that would delete fails, and deletes nothing."""
    recipe.server.write_flow("wipe", "steps:\n  - sql: delete from orders\n    mode: execute\n")
    answer = eventually(
        lambda: recipe.client.trigger("wipe"), lambda answer: answer.outcome == (500, 1)
    )
    assert "readonly" in answer.message
    assert orders(recipe) == 5


def test_too_many_rows_fail_the_report(recipe: Recipe) -> None:
    """A hundred regions are a report, more are a mistake."""
    regions = [f"region {i}" for i in range(101)]
    with closing(sqlite3.connect(recipe.server.folder / "shop.db")) as database, database:
        rows = [(region, region) for region in regions]
        database.executemany("insert into orders values (?, '2026-10-02', ?, 1)", rows)
    assert recipe.client.trigger("sales", **OCTOBER, regions=regions[1:]).data["total"] == 100
    answer = recipe.client.trigger("sales", **OCTOBER, regions=regions)
    assert answer.outcome == (500, 1)
    assert "100" in answer.message
