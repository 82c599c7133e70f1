"""The servers of one test: one after the other on the same store, each on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.blackbox.client import Client, eventually
from tests.blackbox.server import Server, prepare_folder
from tests.chaos.points import ERRORS, FOLDER

FLOWS = Path(__file__).parent / "flows"


class Fleet:
    """``settings`` are those of :mod:`app.config.settings`; ``errors`` says how many calls fail.

    ``arguments`` are gunicorn's, ``environment`` is for what is neither; the attribute of that
    name is the whole of it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        errors: float = 0.0,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.folder = folder
        self.servers: list[Server] = []
        self._workers = workers
        self._arguments = ("tests.chaos.wsgi:app", *arguments)
        self._armed = folder / "armed"
        self.environment = {
            "WEB_CONCURRENCY": str(workers),
            FOLDER: str(self._armed),
            ERRORS: str(errors),
            **{f"SITESWAP_{name}": value for name, value in settings.items()},
            **(environment or {}),
        }
        prepare_folder(folder)
        shutil.copytree(FLOWS, folder / "flows", dirs_exist_ok=True)
        self._armed.mkdir(exist_ok=True)

    @property
    def server(self) -> Server:
        """The one that was started last."""
        return self.servers[-1]

    @property
    def client(self) -> Client:
        """A caller of that one."""
        return self.server.client

    def port(self) -> int:
        """Where that one listens."""
        return self.server.port

    def start(self) -> Server:
        """Start a server, ready to be called, whatever became of those before."""
        log = f"server-{len(self.servers)}.log"
        server = Server(self.folder, self.environment, self._arguments, log)
        try:
            server.wait_until_ready(self._workers)
        except BaseException:
            kill_group(server)
            raise
        self.servers.append(server)
        return server

    def workers(self) -> list[int]:
        """The process ids of the workers of the current server that live."""
        return [pid for pid in self.server.workers if is_alive(pid, self.server)]

    def whole(self) -> None:
        """Return once the current server has as many living workers as it should, and answers."""
        eventually(self.workers, lambda alive: len(alive) >= self._workers, 30)
        self.server.wait_until_ready(self._workers)

    def arm(self, point: str) -> Path:
        """Let the next process that comes to this point die there; the file goes with it."""
        file = self._armed / point
        file.touch()
        return file

    @property
    def log(self) -> str:
        """What all servers wrote."""
        return "".join(server.log for server in self.servers)

    @property
    def troubles(self) -> list[str]:
        """The logs that hold a traceback, each from there on."""
        return from_there("Traceback", [server.log for server in self.servers])

    def end(self) -> None:
        """Stop the current server in good order; whatever else is left is killed."""
        try:
            if self.servers and self.server.process.poll() is None:
                assert self.server.stop() == 0, self.server.log[-2_000:]
        finally:
            for server in self.servers:
                kill_group(server)


def from_there(words: str, logs: Sequence[str]) -> list[str]:
    """The logs that hold these words, each from there on."""
    return [log[log.index(words) :] for log in logs if words in log]


def left_alone(server: Server) -> None:
    """Return once a server without a master has no worker left either."""
    eventually(
        lambda: [pid for pid in server.workers if is_alive(pid, server)], lambda left: not left, 40
    )


def is_alive(pid: int, server: Server) -> bool:
    """Whether this is still a process of this server, and no zombie."""
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return state[0] != "Z" and int(state[2]) == server.process.pid
    return False


def kill_group(server: Server) -> None:
    """``kill -9`` of a master with all its workers, as far as they live."""
    with suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()


@contextmanager
def fleet(folder: Path, **options: Any) -> Iterator[Fleet]:
    """A fleet with its first server; ended afterwards."""
    servers = Fleet(folder, **options)
    try:
        servers.start()
        yield servers
    finally:
        servers.end()
