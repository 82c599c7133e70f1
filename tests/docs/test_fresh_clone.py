"""The README, word by word, in a fresh clone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blackbox.client import eventually, exchange, request
from tests.blackbox.server import environment
from tests.pages import PROJECT, README, blocks, perform, session


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone: what git knows or would add, and nothing else."""
    folder = tmp_path / "siteswap"
    files = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, files.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, folder / name)
    return folder


def test_the_readme_works_on_a_fresh_clone(clone: Path) -> None:
    """``make run``, the printed curl line, then the first flow, typed as they stand."""
    variables = environment({"BIND": "127.0.0.1:0", "SITESWAP_TOKENS": "", "PYTHONPATH": ""})
    variables["PATH"] = f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}"
    log = clone / "make.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["make", "run", f"PYTHON={sys.executable}"],
            cwd=clone, env=variables, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    try:
        address = eventually(lambda: _address(log, process), bool, seconds=180)
        port = int(address.rpartition(":")[2])
        eventually(lambda: exchange(port, request("GET", "/health")).status, (200).__eq__)
        line = re.findall(r"^curl .*$", log.read_text(), re.MULTILINE)
        assert len(line) == 1, log.read_text()
        shell = ["bash", "-c", line[0].replace("curl", "curl -s", 1)]
        done = subprocess.run(shell, capture_output=True, check=True, timeout=60)
        answer = done.stdout.decode()
        assert '"data":{"userName":"juggle","age":18,"orderName":"送10元话费"}}' in answer
        changed = {"127.0.0.1:9127": address}
        typed = [each for block in blocks(README, "console") for each in session(block)]
        perform(typed, clone, variables, changed)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    assert process.poll() is None, log.read_text()
    found = re.search(r"Listening at: http://(\S+)", log.read_text())
    return found[1] if found else ""
