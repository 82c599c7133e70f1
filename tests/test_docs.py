"""Every command and every flow of the README and the docs does what the page says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

from app.linking import link
from app.spec.diagnostics import render
from app.spec.loader import read_flow
from app.spec.surroundings import Surroundings
from tests.blackbox.client import eventually, exchange, request
from tests.blackbox.server import PROJECT, TOKEN, Server, environment, serving

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED_FLOW = re.compile(r"# flows/(\w+)/(v\d+)\.yaml\n")
SEPARATOR = "=====8<====="


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def flows() -> dict[str, str]:
    """Every complete flow that a page shows, by ``page: key/version``."""
    return {
        f"{page.name}: {named[1]}/{named[2]}": text
        for page in PAGES
        for text in blocks(page, "yaml")
        if (named := NAMED_FLOW.match(text))
    }


@pytest.mark.parametrize("name", flows())
def test_a_shown_flow_has_no_findings(name: str) -> None:
    """What a page teaches, the linter has nothing against."""
    page, _, named = name.partition(": ")
    drafts = {
        each.removeprefix(f"{page}: "): read_flow(PurePath(f"{each.split(': ')[1]}.yaml"), text)
        for each, text in flows().items()
        if each.startswith(f"{page}: ")
    }
    path, text = PurePath(f"{named}.yaml"), drafts[named].text
    findings = dict(zip(drafts, link(drafts.values(), {}, Surroundings()), strict=True))[
        named
    ].findings
    assert not findings, "\n".join(render(str(path), text, finding) for finding in findings)


def test_every_yaml_block_is_a_whole_flow() -> None:
    """No yaml on any page escapes the tests."""
    shown = sum(len(blocks(page, "yaml")) for page in PAGES)
    assert shown == len(flows())


def sessions(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown below it."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def perform(page: Path, folder: Path, variables: dict[str, str], address: str = "") -> None:
    """Type a page's console blocks into one shell and compare what comes out."""
    typed = [session for block in blocks(page, "console") for session in sessions(block)]
    script = "\n".join(["exec 2>&1", *(f"{command}\necho '{SEPARATOR}'" for command, _ in typed)])
    script = script.replace("127.0.0.1:9127", address or "127.0.0.1:9127")
    shell = subprocess.run(
        ["bash", "-c", script],
        cwd=folder, env=variables, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    outputs = shell.stdout.decode().split(f"{SEPARATOR}\n")
    for (command, expected), output in zip(typed, outputs, strict=False):
        pattern = ".*?".join(map(re.escape, expected.strip().split("…")))
        assert re.fullmatch(pattern, output.strip(), re.DOTALL), f"$ {command}\n{output}"


def with_flask(variables: dict[str, str]) -> dict[str, str]:
    """The environment, with this interpreter's ``flask`` first in the path."""
    return {**variables, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the pages; the flows they show are in its folder."""
    with serving(tmp_path_factory.mktemp("docs"), workers=2, PYTHON_STEPS="on") as running:
        shutil.copy(PROJECT / "wsgi.py", running.folder)
        for name, text in flows().items():
            file = running.flows / f"{name.split(': ')[1]}.yaml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        yield running


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: str(page.name))
def test_the_commands_of_a_page_print_what_it_shows(page: Path, server: Server) -> None:
    """A reader who types along sees the same."""
    named = {"BASE": f"http://127.0.0.1:{server.port}", "TOKEN": TOKEN}
    variables = environment({**named, "SITESWAP_PYTHON_STEPS": "on"})
    perform(page, server.folder, with_flask(variables))


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
        typed = subprocess.run(shell, capture_output=True, check=True, timeout=10)
        answer = typed.stdout.decode()
        assert '"data":{"userName":"juggle","age":18,"orderName":"送10元话费"}}' in answer
        perform(clone / "README.md", clone, variables, address)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    assert process.poll() is None, log.read_text()
    found = re.search(r"Listening at: http://(\S+)", log.read_text())
    return found[1] if found else ""
