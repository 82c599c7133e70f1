"""A gunicorn in a temporary folder, started and ended by a test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.blackbox.client import Client, eventually, exchange, request

PROJECT = Path(__file__).parents[2]
TOKEN = "sws_blackbox-inline-token"
"""The token that every server here knows."""
API_KEY = "the-downstream's key"
"""A secret of the tests' flows: one that reads a secret is not served without it."""
START_SECONDS = 60
STOP_SECONDS = 60


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: nothing of the tests' own settings comes through.

    Data may lead to this machine, where the tests' downstreams are.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SITESWAP_", "GUNICORN_", "WEB_CONCURRENCY", "BIND", "FLASK_"))
    }
    tests = {
        "PYTHONPATH": str(PROJECT),
        "SITESWAP_TOKENS": f"main={TOKEN}",
        "SITESWAP_PRIVATE_NETWORKS": "127.0.0.0/8",
        "SITESWAP_SECRET_API_KEY": API_KEY,
    }
    return {**inherited, **tests, **settings}


GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0")
"""A plain gunicorn, on a free port: it reads ``gunicorn.conf.py`` in its folder."""


class Server:
    """A running gunicorn. ``folder`` is its working directory, ``log`` all that it wrote.

    It leads a process group of its own, which its workers belong to.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        arguments: Sequence[str] = (),
        log: str = "server.log",
    ) -> None:
        self.folder = folder
        self.flows = folder / "flows"
        self.environment = environment(settings)
        self._log = folder / log
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [*GUNICORN, *arguments],
                cwd=folder,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """Everything it wrote so far, on either stream."""
        return self._log.read_text("utf-8", "replace")

    @property
    def port(self) -> int:
        """The port that it found."""
        match = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log)
        assert match, self.log
        return int(match[1])

    @property
    def workers(self) -> list[int]:
        """The process ids of all the workers that ever started."""
        return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.log)]

    @property
    def client(self) -> Client:
        """A caller with the inline token."""
        return Client(self.port, TOKEN)

    @property
    def database(self) -> Path:
        """The file store."""
        return self.folder / "instance" / "runs.db"

    def wait_until_ready(self, workers: int) -> None:
        """Return once this many workers have started and the port answers."""
        eventually(lambda: self._is_up(workers), bool, START_SECONDS)

    def _is_up(self, workers: int) -> bool:
        assert self.process.poll() is None, self.log
        if "Listening at" not in self.log or len(self.workers) < workers:
            return False
        return exchange(self.port, request("GET", "/health")).status == 200

    def write_flow(self, key: str, text: str) -> Path:
        """Put a flow's first version in place at once, as an editor does."""
        file = self.flows / key / "v1.yaml"
        file.parent.mkdir(exist_ok=True)
        draft = self.folder / f"{key}.draft"
        draft.write_text(text, "utf-8")
        return draft.rename(file)

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Let every other worker stand still: all new connections are this one's.

        Not while another works on an async run: it could stand still with the store locked.
        """
        others = [pid for pid in self.workers if pid != worker]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> int:
        """Ask the master to go down and return its exit status."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """The exit status, once it has gone down."""
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()


def prepare_folder(folder: Path) -> None:
    """A project folder: what is shipped but ``app``, and the flows of the tests."""
    for name in ("gunicorn.conf.py", "wsgi.py"):
        shutil.copy(PROJECT / name, folder)
    for source in (PROJECT / "flows", Path(__file__).parent / "flows"):
        shutil.copytree(source, folder / "flows", dirs_exist_ok=True)


@contextmanager
def serving(folder: Path, *, workers: int = 1, **settings: str) -> Iterator[Server]:
    """A server with these ``SITESWAP_`` settings, ready to be called; ended afterwards."""
    prepare_folder(folder)
    variables = {f"SITESWAP_{name}": value for name, value in settings.items()}
    server = Server(folder, {"WEB_CONCURRENCY": str(workers), **variables})
    try:
        server.wait_until_ready(workers)
        yield server
    finally:
        server.stop()
