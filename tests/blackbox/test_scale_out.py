"""Many machines: two servers and Celery's workers, with nothing between them but Redis."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.blackbox.client import Answer, Client, eventually
from tests.blackbox.server import PROJECT, Server, environment, prepare_folder, serving
from tests.blackbox.workers import CELERY, Workers
from tests.downstream import Downstream
from tests.python.test_pool import is_gone
from tests.redis_server import RedisServer, redis_server

PAGE = PROJECT / "docs" / "scale-out.md"
CODED = """
mode: async
outputs: {pid: integer}
steps:
  - id: x
    python: |
      import os
      return os.getpid()
  - return: {pid: "${steps.x}"}
"""


def shown_command() -> list[str]:
    """The arguments of ``celery``, as the page says they are typed."""
    commands = re.findall(r"^\.venv/bin/celery (.*)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) == 1
    return shlex.split(commands[0])


@contextmanager
def working(folder: Path, settings: dict[str, str]) -> Iterator[Workers]:
    """Workers, ended by the test or here."""
    folder.mkdir()
    prepare_folder(folder)
    workers = Workers(folder, settings, shown_command(), "worker.log")
    try:
        yield workers
    finally:
        workers.stop()


class Cluster:
    """Two servers on two "machines", which share no file, and the Redis between them."""

    def __init__(self, store: RedisServer, broker: RedisServer) -> None:
        self.broker = broker
        self.settings = {
            "STORE": store.url,
            "BROKER": broker.url,
            "EXECUTOR": "celery",
            "LEASE": "2s",
            "PYTHON_STEPS": "on",
        }

    @property
    def variables(self) -> dict[str, str]:
        """The settings as environment variables."""
        return {f"SITESWAP_{name}": value for name, value in self.settings.items()}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A store that keeps everything and a broker that keeps nothing."""
    folder = tmp_path_factory.mktemp("redis")
    with (
        redis_server(folder / "store", appendonly="yes") as store,
        redis_server(folder / "broker") as broker,
    ):
        yield Cluster(store, broker)


@pytest.fixture(scope="module")
def servers(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Both servers."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(serving(tmp_path_factory.mktemp(name), **cluster.settings))
            for name in ("one", "two")
        ]


@pytest.fixture
def clients(servers: list[Server]) -> list[Client]:
    """A caller of each server."""
    return [server.client for server in servers]


def ended(client: Client, run_id: str) -> Answer:
    """The result of a run, after a takeover if need be."""
    return client.ended(run_id)


def test_a_worker_that_is_killed_loses_no_run(
    cluster: Cluster, clients: list[Client], gate: Downstream, tmp_path: Path
) -> None:
    """What was in the middle of a step is interrupted; all else is executed by the next worker.

    That is what waited, what the broker forgot, and what was accepted while there was no worker.
    """
    ids = [clients[0].trigger("fetch_async", url=f"{gate.url}/").run_id for _ in range(4)]
    with working(tmp_path / "worker", cluster.variables) as workers:
        gate.wait_for(2)
        workers.kill()
    gate.is_open.set()
    forgotten = [clients[0].trigger("async_example").run_id for _ in range(5)]
    with cluster.broker.client() as client:
        client.flushall()
    late = clients[0].trigger("async_example").run_id
    with working(tmp_path / "next", cluster.variables):
        statuses = [ended(clients[1], run_id).headers["juggle-flow-status"] for run_id in ids]
        for run_id in [*forgotten, late]:
            assert ended(clients[1], run_id).envelope["result"] == {"userAge": 18}
    assert sorted(statuses) == ["ABORT", "ABORT", "FINISH", "FINISH"]


def test_what_one_server_accepts_a_worker_executes_and_the_other_answers(
    cluster: Cluster, servers: list[Server], clients: list[Client], tmp_path: Path
) -> None:
    """No machine needs another's files; the worker goes down in good order.

    Its processes may have children that run code, though multiprocessing would forbid it; they
    end with it.
    """
    servers[0].write_flow("coded", CODED)
    eventually(lambda: clients[0].trigger("coded").status, (200).__eq__)
    with working(tmp_path / "worker", cluster.variables) as workers:
        ids = [clients[0].trigger("async_example").run_id for _ in range(20)]
        for run_id in ids:
            answer = ended(clients[1], run_id)
            assert answer.envelope["result"] == {"userAge": 18}
        pid = ended(clients[0], clients[0].trigger("coded").run_id).envelope["result"]["pid"]
        assert not is_gone(pid)
        assert workers.stop() == 0
        assert "Traceback" not in workers.log
        eventually(lambda: is_gone(pid), bool)


def test_runs_are_accepted_while_the_broker_is_down(
    cluster: Cluster, clients: list[Client], tmp_path: Path
) -> None:
    """Nobody waits for it for long; when it is back, they are executed."""
    with working(tmp_path / "worker", cluster.variables):
        cluster.broker.kill()
        answers = [client.trigger("async_example") for client in clients for _ in range(5)]
        assert max(answer.seconds for answer in answers) < 3
        cluster.broker.start()
        for answer in answers:
            assert ended(clients[0], answer.run_id).envelope["result"] == {"userAge": 18}


def test_a_worker_with_wrong_settings_says_why(cluster: Cluster, tmp_path: Path) -> None:
    """One sentence, as the server says it."""
    prepare_folder(tmp_path)
    done = subprocess.run(
        [CELERY, *shown_command()],
        cwd=tmp_path, env=environment({**cluster.variables, "SITESWAP_BROKER": ""}),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("Configuration error: SITESWAP_EXECUTOR: celery needs a broker")


def test_a_worker_tries_its_store(cluster: Cluster, tmp_path: Path) -> None:
    """As the server does: what cannot be reached is refused, what may forget runs is warned of."""
    prepare_folder(tmp_path)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        store = f"redis://127.0.0.1:{port}/0"
        done = subprocess.run(
            [CELERY, *shown_command()],
            cwd=tmp_path, env=environment({**cluster.variables, "SITESWAP_STORE": store}),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"the Redis store at 127.0.0.1:{port} cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    forgetful = {**cluster.variables, "SITESWAP_STORE": cluster.broker.url}
    with working(tmp_path / "worker", forgetful) as workers:
        assert workers.log.count("appendonly no") == 1
