"""One server of each kind for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database.flows import SqlWorld
from tests.database.silence import Proxy, proxy_to
from tests.sql_servers import Mariadb, Postgresql, SqlServer, sql_server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[SqlServer]:
    with sql_server(Mariadb) as server:
        yield server


@pytest.fixture(scope="module")
def postgresql() -> Iterator[SqlServer]:
    with sql_server(Postgresql) as server:
        yield server


@pytest.fixture
def silent(server: SqlServer) -> Iterator[Proxy]:
    """A proxy to the server under test."""
    with proxy_to(server.port) as proxy:
        yield proxy


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SqlWorld]:
    """Flows with a database; a class of the suite has a world of its own."""
    world = SqlWorld(tmp_path, other="sqlite:///other.db")
    yield world
    world.sql.databases.close()
