"""A folder of its own for every run: flows, a token, and the servers that are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from tests.bench.load import Load, wrk
from tests.bench.processes import ROOT, Server, free_port, running, started

TOKEN = "sws_only_for_the_benchmarks_0123456789"
HEADERS = {"Juggle-Token": TOKEN}
TARGET = "/v1/open/flow/trigger/v1/{key}?userName=juggle&password=123456&deposit=1000.00"
ASYNC_TARGET = "/v1/open/flow/trigger/v1/{key}"

SHIPPED = ("-c", str(ROOT / "gunicorn.conf.py"))
"""gunicorn as Siteswap ships it."""
SHIPPED_SETTINGS = ("-c", str(ROOT / "tests/bench/gunicorn_shipped.py"))
"""The same settings, for another application."""


def gthread(threads: int, workers: int = 2) -> tuple[str, ...]:
    """gunicorn's own defaults but for the worker class and its numbers."""
    numbers = (f"--workers={workers}", f"--threads={threads}")
    return ("-k", "gthread", *numbers, "--no-control-socket")


SLOW_FLOW = """\
name: one slow call
timeout: 60s
inputs: {}
outputs: {done: boolean}
steps:
  - id: slow
    http: GET http://127.0.0.1:PORT/slow
  - return: {done: "${steps.slow.body.done}"}
"""

NOOP_FLOW = """\
name: an async flow that does next to nothing
mode: async
outputs: {done: boolean}
steps:
  - return: {done: true}
"""

SOON_FLOW = SLOW_FLOW.replace("/slow", "/soon").replace("timeout: 60s", "mode: async")

PARKED_FLOW = SLOW_FLOW.replace("timeout: 60s", "mode: async\nconcurrency: 1")

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Workplace:
    """A temporary folder with the flows, and the downstream that they call."""

    folder: Path
    downstream: Server

    @contextmanager
    def gunicorn(
        self, app: str, options: Sequence[str], settings: Mapping[str, str] = _NO_SETTINGS
    ) -> Iterator[Server]:
        """Serve an application; the first answer has come when the block begins."""
        port = free_port()
        arguments = ["-m", "gunicorn", *options, "-b", f"127.0.0.1:{port}", app]
        environ = {**self._environ(port), **settings}
        with running(arguments, port, self.folder, environ) as server:
            yield server

    @contextmanager
    def celery(self, name: str, concurrency: int, settings: Mapping[str, str]) -> Iterator[int]:
        """Run a worker of Celery; it waits for messages when the block begins."""
        log = self.folder / f"{name}.log"
        options = ["-n", f"{name}@%h", "--loglevel", "info", "--concurrency", str(concurrency)]
        arguments = ["-m", "celery", "-A", "wsgi.celery", "worker", *options]
        environ = {**self._environ(0), **settings}
        with started(arguments, log, environ, lambda: " ready." in log.read_text()) as pid:
            yield pid

    def store_of(self, server: Server) -> Path:
        """The file with the runs of a server."""
        return self.folder / f"{server.port}.db"

    def _environ(self, port: int) -> dict[str, str]:
        return {
            "SITESWAP_TOKENS": f"bench={TOKEN}",
            "SITESWAP_TOKENS_FILE": str(self.folder / "tokens.yaml"),
            "SITESWAP_FLOWS_DIR": str(self.folder / "flows"),
            "SITESWAP_STORE": f"file:{self.folder / f'{port}.db'}",
            "WEB_CONCURRENCY": "2",
            "BENCH_DOWNSTREAM": self.downstream.url(""),
        }


@contextmanager
def workplace() -> Iterator[Workplace]:
    """The folder and the downstream, until the block ends."""
    port = free_port()
    with TemporaryDirectory(prefix="siteswap-bench-") as name:
        folder = Path(name)
        write_flows(folder / "flows", port)
        arguments = ["-m", "tests.bench.downstream", str(port)]
        with running(arguments, port, folder, {}) as downstream:
            yield Workplace(folder, downstream)


def write_flows(folder: Path, port: int) -> None:
    """``sync_example`` as it is shipped, ``real_example`` that calls a port, and small ones."""
    example = (ROOT / "flows/sync_example/v1.yaml").read_text()
    origin = f"http://127.0.0.1:{port}"
    real = example.replace("POST /", f"POST {origin}/").replace("GET /", f"GET {origin}/")
    texts = {
        "sync_example": example,
        "real_example": real,
        "slow": SLOW_FLOW.replace("PORT", str(port)),
        "soon": SOON_FLOW.replace("PORT", str(port)),
        "noop": NOOP_FLOW,
        "parked": PARKED_FLOW.replace("PORT", str(port)),
    }
    for key, text in texts.items():
        (folder / key).mkdir(parents=True)
        (folder / key / "v1.yaml").write_text(text)


def answer(server: Server, target: str) -> bytes:
    """The body of one answer; an instance id in it is blotted out."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", target, headers=HEADERS)
    with connection.getresponse() as response:
        body = response.read()
    connection.close()
    before, mark, after = body.partition(b'"flowInstanceId":"sync_')
    return before + mark + after[16:] if mark else body


@dataclass(frozen=True, slots=True)
class Reading:
    """What wrk saw, and the CPU time in µs that the server's processes used for one flow."""

    load: Load
    cpu: float


def flows(server: Server, target: str, connections: int, seconds: int) -> Reading:
    """Load on a trigger."""
    before = server.cpu_seconds()
    load = wrk(server.url(target), connections=connections, seconds=seconds, headers=HEADERS)
    return Reading(load, (server.cpu_seconds() - before) / max(load.count, 1) * 1e6)
