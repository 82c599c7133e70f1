"""A MariaDB and a PostgreSQL of a test's own: free ports, a temporary folder, ended by process id.

Both refuse to run as root, so there they run as ``nobody``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.blackbox.client import eventually

START_SECONDS = 60
USER, PASSWORD, NAME = "siteswap", "s3cret@/:#?%", "shop"
"""The password has every character that means something in a url."""
QUOTED = "s3cret%40%2F%3A%23%3F%25"


class SqlServer:
    """A server in a folder of its own. ``start`` may be called again after ``kill``."""

    package: str
    password = PASSWORD

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.prepare()
        self.start()
        self.make_database()

    @property
    def url(self) -> str:
        """The address of its database, as ``services.yaml`` has it."""
        return f"{self.scheme}://{USER}:{QUOTED}@127.0.0.1:{self.port}/{NAME}"

    scheme: str

    def command(self) -> Sequence[str]:
        """What starts it."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make its files."""
        raise NotImplementedError

    def make_database(self) -> None:
        """Make the user and the database."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it can be used."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, on the same port and with the same files."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_unprivileged(), *self.command()], stdout=log, stderr=log, cwd=self.folder
            )
        eventually(self._is_up, bool, START_SECONDS)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        return self.answers()

    def kill(self) -> None:
        """End it at once."""
        self.process.send_signal(signal.SIGQUIT if self.scheme == "postgresql" else signal.SIGKILL)
        self.process.wait()


class Mariadb(SqlServer):
    package = "mariadb-server"
    scheme = "mariadb"

    def prepare(self) -> None:
        run("mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data",
            "--auth-root-authentication-method=normal", "--skip-test-db",
            cwd=self.folder)  # fmt: skip

    def command(self) -> Sequence[str]:
        return [
            _program("mariadbd"), "--no-defaults", f"--datadir={self.folder}/data",
            f"--socket={self.folder}/s.sock", f"--port={self.port}", "--bind-address=127.0.0.1",
            f"--pid-file={self.folder}/pid", "--skip-name-resolve", "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M",
        ]  # fmt: skip

    def make_database(self) -> None:
        with self.root() as root, root.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
            cursor.execute(f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY %s", (PASSWORD,))
            cursor.execute(f"GRANT ALL ON {NAME}.* TO {USER}@'127.0.0.1'")

    def root(self) -> pymysql.Connection:
        """A plain client of the owner."""
        return pymysql.connect(unix_socket=f"{self.folder}/s.sock", user="root", autocommit=True)

    def answers(self) -> bool:
        # PyMySQL leaves the socket open when it cannot connect.
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(f"{self.folder}/s.sock"):
                return False
        self.root().close()
        return True


class Postgresql(SqlServer):
    package = "postgresql"
    scheme = "postgresql"

    def prepare(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        run("initdb", "--pgdata=data", f"--username={USER}", "--pwfile=secret", "--encoding=UTF8",
            "--auth=scram-sha-256", "--no-locale", "--no-sync", cwd=self.folder)  # fmt: skip

    def command(self) -> Sequence[str]:
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "fsync": "off",
                   "unix_socket_directories": self.folder, "deadlock_timeout": "200ms"}  # fmt: skip
        return [
            _program("postgres"), "-D", f"{self.folder}/data",
            *(word for key, value in options.items() for word in ("-c", f"{key}={value}")),
        ]  # fmt: skip

    def make_database(self) -> None:
        with self.client("postgres") as client:
            client.execute(f"CREATE DATABASE {NAME}")

    def client(self, name: str = NAME) -> psycopg.Connection:
        """A plain client of the owner."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=name,
            autocommit=True, connect_timeout=5,
        )  # fmt: skip

    def answers(self) -> bool:
        try:
            self.client("postgres").close()
        except psycopg.Error:
            return False
        return True


@contextmanager
def sql_server(kind: type[SqlServer]) -> Iterator[SqlServer]:
    """A running server; where none is installed, the test is skipped."""
    if _find("mariadbd" if kind is Mariadb else "initdb") is None:
        # .ci/run installs it: nothing is skipped there.
        assert "CI" not in os.environ, f"{kind.package} is not installed"
        pytest.skip(f"{kind.package} is not installed")
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="siteswap-sql-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            shutil.chown(name, "nobody")
        server = kind(Path(name))
        try:
            yield server
        finally:
            server.kill()


def run(name: str, *arguments: str, cwd: Path) -> None:
    """Run one of a server's tools to its end."""
    done = subprocess.run(
        [*_unprivileged(), _program(name), *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _unprivileged() -> Sequence[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def _program(name: str) -> str:
    found = _find(name)
    assert found is not None, f"{name} is not installed"
    return found


def _find(name: str) -> str | None:
    """Debian keeps the tools of PostgreSQL out of the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", *map(str, folders)])
    return shutil.which(name, path=path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
