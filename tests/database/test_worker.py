"""Databases behind a server: a slow query holds up nobody else of the same worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.blackbox.client import Answer, eventually
from tests.blackbox.server import Server, serving
from tests.sql_servers import QUOTED, SqlServer

COUNTING = """
    with recursive n(i) as (select 1 union all select i + 1 from n where i < :top)
    select count(*) as n from n
"""
SLOW = {
    "file": COUNTING.replace(":top", "100000000"),
    "maria": "select sleep(2)",
    "postgres": "select 1 from (select pg_sleep(2)) as pause",
}
"""Each takes two seconds, or is ended by then."""

FLOW = """\
timeout: 10s
outputs: {{rows: list, error: string}}
steps:
  - id: slow
    database: {name}
    timeout: 2500ms
    sql: |
      {sql}
    on_error:
      - return: {{error: "${{error.message}}"}}
  - return: {{rows: "${{steps.slow.rows}}"}}
"""
ONE = """\
outputs: {n: integer}
steps:
  - {id: a, database: postgres, sql: select 1 as n, mode: value}
  - return: {n: "${steps.a.value}"}
"""
SERVICES = """\
databases:
  file: {{url: "sqlite:///shop.db"}}
  maria: {{url: "{maria}"}}
  postgres: {{url: "{postgres}"}}
"""


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, mariadb: SqlServer, postgresql: SqlServer
) -> Iterator[Server]:
    """One worker with the three databases; their password is a secret."""
    folder = tmp_path_factory.mktemp("sql")
    (folder / "flows").mkdir()
    maria, postgres = (
        each.url.replace(QUOTED, "${secrets.DB_PASSWORD}") for each in (mariadb, postgresql)
    )
    text = SERVICES.format(maria=maria, postgres=postgres)
    (folder / "flows" / "services.yaml").write_text(text)
    for name, sql in SLOW.items():
        flow = folder / "flows" / f"slow_{name}" / "v1.yaml"
        flow.parent.mkdir()
        flow.write_text(FLOW.format(name=name, sql=" ".join(sql.split())))
    password = mariadb.password
    with serving(folder, SECRET_DB_PASSWORD=password, SECRET_API_KEY="of other flows") as server:
        yield server
    assert "Traceback" not in server.log
    assert password not in server.log


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_query_stops_nobody(server: Server, name: str) -> None:
    """While three queries take seconds, other requests of the only worker are served."""
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(server.client.trigger(f"slow_{name}")))
        for _ in range(3)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    quick = []
    while time.monotonic() - began < 1.2:
        quick.append(server.client.trigger("echo", text="x").seconds)
    assert not answers, "the queries were not slow"
    assert len(quick) >= 5
    assert max(quick) < 0.7, quick
    for thread in threads:
        thread.join(20)
    assert [answer.status for answer in answers] == [200] * 3
    assert time.monotonic() - began < 5


def test_connections_are_closed_with_their_worker(server: Server, postgresql: SqlServer) -> None:
    """A database that leaves the file, or whose address changes, loses its connections."""
    count = "select count(*) from pg_stat_activity where application_name = 'siteswap'"
    file = server.flows / "services.yaml"
    before = file.read_text()
    server.write_flow("one", ONE)
    eventually(lambda: server.client.trigger("one").status, (200).__eq__)
    with postgresql.client() as client:
        assert client.execute(count).fetchone() >= (1,)
        file.write_text(before.replace("  postgres:", "  renamed:"))
        eventually(lambda: client.execute(count).fetchone(), (0,).__eq__)
    file.write_text(before)
    eventually(lambda: server.client.trigger("one").status, (200).__eq__)
