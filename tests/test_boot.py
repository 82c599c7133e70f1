"""``gunicorn.conf.py`` as it is shipped: what it refuses, prints, starts and ends."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.startup import EXAMPLE, example_call
from tests.blackbox.client import eventually, exchange, request
from tests.blackbox.server import GUNICORN, PROJECT, Server, environment
from tests.redis_server import redis_server

CURL = re.compile(r"^curl -H 'Juggle-Token: (sws_[\w-]+)' '(http://127\.0\.0\.1:\d+)(/.*)'$", re.M)


def project(folder: Path) -> Path:
    """A project folder with the shipped configuration and an application that tells of its life."""
    shutil.copy(PROJECT / "gunicorn.conf.py", folder)
    (folder / "wsgi.py").write_text("from tests.worker_application import app as app\n")
    (folder / "flows").mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Such a folder in which nothing was started yet."""
    return project(tmp_path)


@contextmanager
def serving(folder: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """A gunicorn in the folder."""
    server = Server(folder, {"SITESWAP_TOKENS": "", "WEB_CONCURRENCY": "2", **settings})
    try:
        server.wait_until_ready(int(server.environment["WEB_CONCURRENCY"]))
        yield server
    finally:
        server.stop()


def refusal(folder: Path, settings: Mapping[str, str]) -> str:
    """What a gunicorn that does not start writes to standard error; its status is 1."""
    run = subprocess.run(
        GUNICORN,
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        timeout=60,
        check=False,
    )
    text = run.stderr.decode()
    assert run.returncode == 1, text
    assert "Traceback" not in text
    assert "Listening" not in text
    return text


def test_memory_with_three_workers_is_refused(folder: Path) -> None:
    """However the number of workers was given."""
    several = {"WEB_CONCURRENCY": "1", "GUNICORN_CMD_ARGS": "--workers 3"}
    assert "3 workers would start" in refusal(folder, {"SITESWAP_STORE": "memory:", **several})


def test_a_redis_that_is_not_there_is_refused(folder: Path) -> None:
    """With where it was looked for, and without the password."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    text = refusal(folder, {"SITESWAP_STORE": f"redis://:hunter2@127.0.0.1:{port}"})
    assert f"Configuration error: the Redis store at 127.0.0.1:{port} cannot be reached" in text
    assert "hunter2" not in text


def test_a_redis_that_forgets_is_warned_of_once(folder: Path) -> None:
    """The server starts all the same."""
    with (
        redis_server(folder / "redis", appendonly="no") as redis,
        serving(folder, {"SITESWAP_STORE": redis.url}) as server,
    ):
        assert server.log.count("the Redis store has appendonly no") == 1
        assert "MonkeyPatchWarning" not in server.log


def test_a_place_that_takes_no_tokens_is_refused(folder: Path) -> None:
    """The first token must be kept somewhere."""
    (folder / "instance").touch()
    text = refusal(folder, {"SITESWAP_TOKENS": ""})
    assert text.endswith("/instance/tokens.yaml cannot be read: Not a directory\n")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that was given a token, an access log and a home of its own."""
    folder = project(tmp_path_factory.mktemp("shared"))
    (folder / "home" / ".gunicorn").mkdir(parents=True)
    settings = {
        "SITESWAP_TOKENS": "ci=abc",
        "GUNICORN_CMD_ARGS": "--access-logfile -",
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": "",
    }
    with serving(folder, settings) as server:
        yield server


def test_who_brings_a_token_gets_none(shared: Server) -> None:
    """With SITESWAP_TOKENS nothing is made, printed or written."""
    assert "curl" not in shared.log
    assert not (shared.folder / "instance" / "tokens.yaml").exists()


def test_there_is_no_control_socket(shared: Server) -> None:
    """The master opens no control socket."""
    assert not list((shared.folder / "home").rglob("*.ctl"))


def test_an_access_log_shows_no_token(shared: Server) -> None:
    """Neither the query string nor the Referer, where pages and senders put tokens."""
    headers = {"Referer": "http://a/?juggleToken=hunter2", "User-Agent": "probe"}
    exchange(shared.port, request("GET", "/x?juggleToken=hunter2", headers))
    line = re.compile(r'^127\.0\.0\.1 \[.*\] "GET /x" 200 \d+ bytes \d+ ms "probe"$', re.M)
    eventually(lambda: shared.log, line.search)
    assert "hunter2" not in shared.log


def test_each_worker_starts_and_closes_the_application(shared: Server) -> None:
    """After the fork, and within what is left of the graceful timeout; the last test of it."""
    assert shared.stop() == 0
    assert shared.log.count("started\n") == 2
    left = [int(text) for text in re.findall(r"closed with (\d+) s left", shared.log)]
    assert len(left) == 2
    assert all(20 < seconds < 30 for seconds in left)


@pytest.mark.parametrize(
    ("address", "target"),
    [
        (("127.0.0.1", 9127), "http://127.0.0.1:9127"),
        (("0.0.0.0", 80), "http://127.0.0.1:80"),
        (("::", 80, 0, 0), "http://[::1]:80"),
        (("fe80::1", 80, 0, 0), "http://[fe80::1]:80"),
    ],
)
def test_the_example_call_can_be_pasted(address: tuple[object, ...], target: str) -> None:
    """It is five words for a shell, whatever the server listens to."""
    words = shlex.split(example_call("sws_x", address))
    assert words == ["curl", "-H", "Juggle-Token: sws_x", target + EXAMPLE]


def test_the_example_call_knows_unix_sockets() -> None:
    """curl is told the path."""
    words = shlex.split(example_call("sws_x", "/run/a b.sock"))
    assert words[3:] == ["--unix-socket", "/run/a b.sock", f"http://localhost{EXAMPLE}"]


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 200))
from app.startup import raise_file_limit
for wanted in (100, 60, 1000):
    raise_file_limit(wanted)
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_the_file_limit_rises_as_far_as_it_may() -> None:
    """It is never lowered, and never goes beyond the hard limit."""
    run = subprocess.run(
        [sys.executable, "-c", LIMITED], cwd=PROJECT, capture_output=True, check=True
    )
    assert run.stdout.split() == [b"100", b"100", b"200"]
