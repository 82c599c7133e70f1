from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.client import Client
from tests.blackbox.server import Server, serving

FILE_TOKEN = "sws_blackbox-file-token"
"""A token of the tokens file: it opens the flow ``echo`` only."""
EXPIRED_TOKEN = "sws_blackbox-expired-token"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that most tests share: two workers, the file store.

    Whatever the tests sent to it, both workers live until the end, no token was logged, and
    nothing met a bug.
    """
    folder = tmp_path_factory.mktemp("server")
    write_tokens(folder / "instance" / "tokens.yaml")
    with serving(folder, workers=2) as server:
        yield server
        assert len(server.workers) == 2
    assert server.process.returncode == 0
    assert "blackbox" not in server.log.replace(str(folder), "")
    assert "Traceback" not in server.log


@pytest.fixture
def client(server: Server) -> Client:
    """A caller of the shared server, whose token opens everything."""
    return server.client


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in the original's habit, with the memory store and one worker."""
    folder = tmp_path_factory.mktemp("lenient")
    with serving(folder, STORE="memory:", HTTP_STATUS="always-200", EXAMPLE_API="off") as server:
        yield server


def write_tokens(file: Path) -> None:
    """A tokens file with the two tokens above."""
    entries = [(FILE_TOKEN, "flows: [echo]"), (EXPIRED_TOKEN, "expires: '2020-01-01'")]
    lines = ["tokens:"]
    for number, (token, restriction) in enumerate(entries):
        digest = hashlib.sha256(token.encode()).hexdigest()
        lines += [f"  - name: file-{number}", f"    sha256: {digest}", f"    {restriction}"]
    file.parent.mkdir()
    file.write_text("\n".join(lines))
