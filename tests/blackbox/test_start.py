"""Starting a server: what it refuses, and what it says to somebody who starts it the first time."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.client import Client
from tests.blackbox.server import GUNICORN, Server, environment, prepare_folder, serving
from tests.pages import SITESWAP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder in which nothing was started yet."""
    prepare_folder(tmp_path)
    return tmp_path


def refusal(folder: Path, **variables: str) -> list[str]:
    """What a server says that refuses to start, line by line, without gunicorn's own log."""
    done = subprocess.run(
        GUNICORN,
        cwd=folder,
        env=environment(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode not in (0, -9), done
    assert "Traceback" not in done.stdout
    assert "Listening" not in done.stdout
    return [line for line in done.stdout.splitlines() if not line.startswith("[")]


@pytest.mark.parametrize(
    "bad",
    [
        {
            "STORE": ("mongodb://secret@host", "'mongodb:' is not a store"),
            "EXECUTOR": ("threads:0", "0 threads"),
            "TOKENS": ("main", "entry 1 is not name=token"),
            "HTTP_STATUS": ("200", "'200' is neither real nor always-200"),
            "MAX_BODY_BYTES": ("much", "'much' is not a size"),
            "MAX_RESPONSE_BYTES": ("-1", "'-1' is not a size"),
            "ENV": ("A-B", "'A-B' is not the name of a variable"),
            "EXAMPLE_API": ("yes", "'yes' is neither on nor off"),
        },
        {
            "STORE": ("ftp://:secret@host", "is not a store"),
            "EXECUTOR": ("celery", "needs a broker"),
            "TOKENS": ("a=secret-1,a=secret-2", "the name a stands twice"),
        },
        {"FLOWS_DIR": ("nowhere", "nowhere is not a folder")},
        {"FLOWS_DIR": ("wsgi.py", "is not a folder")},
    ],
)
def test_bad_settings(folder: Path, bad: dict[str, tuple[str, str]]) -> None:
    """All are told in one go: a sentence names each and what is wrong, and repeats no secret."""
    lines = refusal(folder, **{f"SITESWAP_{name}": value for name, (value, _) in bad.items()})
    assert len(lines) == len(bad)
    for name, (_, words) in bad.items():
        [line] = [line for line in lines if f"SITESWAP_{name}: " in line]
        assert words in line
        assert "secret" not in line


def test_a_memory_store_with_two_workers(folder: Path) -> None:
    """A result could not be polled from the other worker: refused, with the ways out."""
    [line] = refusal(folder, SITESWAP_STORE="memory:", WEB_CONCURRENCY="2")
    assert "WEB_CONCURRENCY=1" in line
    assert "SITESWAP_STORE=file:" in line


def test_a_store_that_cannot_be(folder: Path) -> None:
    """A file where a folder should be is told by its path."""
    [line] = refusal(folder, SITESWAP_STORE="file:wsgi.py/runs.db")
    assert "wsgi.py/runs.db" in line


def test_a_store_of_another_program(folder: Path) -> None:
    """A file that is not ours is refused and left as it was."""
    other = folder / "letter.txt"
    other.write_text("Dear SQLite,\n" * 100)
    [line] = refusal(folder, SITESWAP_STORE="file:letter.txt")
    assert "letter.txt" in line
    assert other.read_text() == "Dear SQLite,\n" * 100


def test_a_broken_tokens_file(folder: Path) -> None:
    """Each mistake has its line; nobody is let in by accident."""
    (folder / "instance").mkdir()
    (folder / "instance" / "tokens.yaml").write_text("tokens: [{name: a, sha256: hunter2}]")
    [line] = refusal(folder)
    assert "tokens.yaml: token 1, sha256 is not the 64 hex digits" in line
    assert "hunter2" not in line


def test_a_command_with_a_bad_setting(folder: Path) -> None:
    """The command line says the same sentence."""
    done = subprocess.run(
        [str(SITESWAP), "list"],
        cwd=folder,
        env=environment({"SITESWAP_HTTP_STATUS": "200"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    [line] = done.stderr.splitlines()
    assert "SITESWAP_HTTP_STATUS: '200' is neither real nor always-200" in line


def test_settings_with_a_typo(tmp_path: Path) -> None:
    """They are warnings: the server starts."""
    with serving(tmp_path, STOER="x", HTTP_STATE="x") as server:
        assert server.client.trigger("echo", text="a").data["text"] == "a"
    assert "SITESWAP_STOER is not a setting; did you mean SITESWAP_STORE?" in server.log
    assert "SITESWAP_HTTP_STATE is not a setting; did you mean SITESWAP_HTTP_STATUS?" in server.log


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in a project folder that has no token yet, with nothing configured at all."""
    with serving(tmp_path_factory.mktemp("fresh"), workers=2, TOKENS="") as server:
        yield server


def pasted(server: Server) -> str:
    """The line that the first start prints to be pasted."""
    [line] = re.findall(r"^curl .*$", server.log, re.MULTILINE)
    text: str = line
    return text


def test_the_first_start(fresh: Server) -> None:
    """It makes a token, once, and the printed line answers the documented bytes in a shell."""
    if shutil.which("curl") is None:
        pytest.skip("install curl to run this test")
    shell = ["sh", "-c", pasted(fresh).replace("curl ", "curl --silent ", 1)]
    output = subprocess.run(shell, capture_output=True, check=True, timeout=60).stdout.decode()
    instance = re.search(r"sync_[A-Za-z0-9]{16}", output)
    assert instance
    assert output == (
        '{"success":true,"errorCode":0,"errorMsg":null,"result":'
        f'{{"flowInstanceId":"{instance[0]}","status":"FINISH",'
        '"data":{"userName":"juggle","age":18,"orderName":"送10元话费"}}}'
    )


def test_the_first_token_is_kept(fresh: Server) -> None:
    """Only its digest is in the file, which is private; a second start prints none."""
    header = next(part for part in shlex.split(pasted(fresh)) if part.startswith("Juggle-Token"))
    token = header.partition(": ")[2]
    file = fresh.folder / "instance" / "tokens.yaml"
    assert token not in file.read_text()
    assert "name: first\n" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    with serving(fresh.folder, TOKENS="") as again:
        assert "curl" not in again.log
        assert Client(again.port, token).trigger("echo", text="a").data["text"] == "a"


def test_the_address_of_the_original(folder: Path) -> None:
    """A plain gunicorn listens where Juggle does, with two workers."""
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--print-config"],
        cwd=folder,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert re.search(r"^bind += \['127\.0\.0\.1:9127'\]$", done.stdout, re.MULTILINE)
    assert re.search(r"^workers += 2$", done.stdout, re.MULTILINE)
