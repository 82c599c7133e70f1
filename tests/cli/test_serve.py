"""``siteswap serve``: gunicorn with the shipped configuration, wherever the flows are."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from app.cli.serve import shipped
from tests.blackbox.client import eventually, exchange, request
from tests.cli.shell import environment, siteswap
from tests.pages import PROJECT, SITESWAP

PORT = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


@contextmanager
def serving(
    folder: Path, *options: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """``siteswap <options>`` in the folder, and the port it found; stopped as a terminal does."""
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(SITESWAP), *options], cwd=folder, env=environment(**variables),
            stdout=stream, stderr=stream,
        )  # fmt: skip
    try:
        found = eventually(lambda: PORT.search(log.read_text()), bool, 20)
        assert found, log.read_text()
        port = int(found[1])
        eventually(lambda: exchange(port, request("GET", "/health")).status, (200).__eq__, 20)
        yield process, port
    finally:
        process.terminate()
        status = process.wait(40)
    assert status == 0, log.read_text()


def test_a_folder_with_nothing_but_flows(tmp_path: Path) -> None:
    """The files of the clone serve it; the process is gunicorn's own, which signals reach."""
    (tmp_path / "flows").mkdir()
    with serving(tmp_path, "serve", "--bind", "127.0.0.1:0", "--workers", "1") as (process, port):
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        assert any(word.endswith(b"/gunicorn") for word in command)
        log = (tmp_path / "server.log").read_text()
        assert log.count("Booting worker") == 1
        assert f"'http://127.0.0.1:{port}/v1/open/flow/trigger/v1/sync_example" in log
    assert "Handling signal: term" in (tmp_path / "server.log").read_text()


def test_settings_of_files_are_served(tmp_path: Path) -> None:
    """Those of ``--env-file`` and of ``.env``, gunicorn's own among them."""
    (tmp_path / "flows").mkdir()
    (tmp_path / ".env").write_text(
        "BIND=127.0.0.1:0\nWEB_CONCURRENCY=1\nSITESWAP_TOKENS=a=folder\nSITESWAP_LANGUAGE=en\n"
    )
    (tmp_path / "production.env").write_text("SITESWAP_TOKENS=a=file\n")
    with serving(tmp_path, "--env-file", "production.env", "serve") as (_, port):
        path = f"/v1/open/flow/getAsyncFlowResult/async_{'0' * 16}?juggleToken="
        assert exchange(port, request("GET", f"{path}folder")).status == 401
        answer = exchange(port, request("GET", f"{path}file"))
        assert (answer.status, b'"errorMsg":"no such run' in answer.body) == (404, True)
        log = (tmp_path / "server.log").read_text()
        assert (log.count("Booting worker"), "curl" in log) == (1, False)


def test_the_files_of_the_folder_come_first(tmp_path: Path) -> None:
    """So does what is named on the command line; after ``--`` everything is gunicorn's."""
    shutil.copy(PROJECT / "wsgi.py", tmp_path)
    own = 'wsgi_app = "wsgi:app"\nkeepalive = 7\ntimeout = 8\n'
    (tmp_path / "gunicorn.conf.py").write_text(own)
    shown = siteswap(tmp_path, "serve", "--timeout", "9", "--print-config").stdout
    settings = dict(re.findall(r"^(\w+) += (.*)$", shown, re.MULTILINE))
    assert (settings["keepalive"], settings["timeout"]) == ("7", "9")
    assert settings["config"] == "./gunicorn.conf.py"
    assert "usage: gunicorn" in siteswap(tmp_path, "serve", "--", "--help").stdout


def test_what_is_there_neither_way_is_named(tmp_path: Path) -> None:
    """Installed as a package, Siteswap brings no such file: the message says what to do."""
    with pytest.raises(click.ClickException, match=r"has no gunicorn\.conf\.py; copy .* clone"):
        shipped(tmp_path, tmp_path / "elsewhere")
    assert shipped(PROJECT, tmp_path) == []


def test_make_run_installs_extras_once(tmp_path: Path) -> None:
    """``make run EXTRAS=redis,sql`` installs these before it serves, and nothing where they are."""

    def planned(*extras: str) -> list[str]:
        make = ["make", "-n", "--no-print-directory", "run", f"VENV={tmp_path}", *extras]
        done = subprocess.run(make, cwd=PROJECT, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    (tmp_path / ".installed").touch()
    assert planned() == [f"{tmp_path}/bin/siteswap serve"]
    install, _, serve = planned("EXTRAS=redis,sql")
    assert install.startswith(f"{tmp_path}/bin/pip install ")
    assert install.endswith(" --editable '.[redis,sql]'")
    assert serve == planned()[0]
    (tmp_path / ".installed-redis,sql").touch()
    assert planned("EXTRAS=redis,sql") == planned()
