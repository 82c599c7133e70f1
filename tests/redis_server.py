"""A Redis of its own for a test: a free port, a temporary folder, ended by its process id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.blackbox.client import eventually

PROGRAM = shutil.which("redis-server")
START_SECONDS = 60


class RedisServer:
    """A running redis-server. ``options`` are those of ``redis.conf``, without the dashes."""

    def __init__(self, folder: Path, **options: str) -> None:
        self._folder = folder
        self._options = {"save": "", "appendfsync": "always", **options}
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, again if need be, on the same port and with the same files."""
        options = [
            word
            for name, value in self._options.items()
            for word in (f"--{name.replace('_', '-')}", value)
        ]
        with (self._folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), "--port", str(self.port), "--bind", "127.0.0.1",
                 "--dir", str(self._folder), *options],
                stdout=log, stderr=log,
            )  # fmt: skip
        eventually(self._answers, bool, START_SECONDS)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self._folder / "redis.log").read_text()
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def client(self) -> Redis:
        """A plain client, for what a test arranges and looks at."""
        return Redis(port=self.port, password=self._options.get("requirepass"),
                     decode_responses=True)  # fmt: skip

    def kill(self) -> None:
        """What a power cut is to the process."""
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(folder: Path, **options: str) -> Iterator[RedisServer]:
    """A server with these options; where none is installed, the test is skipped."""
    if PROGRAM is None:
        # .ci/run installs it: nothing is skipped there.
        assert "CI" not in os.environ, "redis-server is not installed"
        pytest.skip("redis-server is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, **options)
    try:
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
