"""Every command and every flow of the README and the docs does what the page says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

import pytest

from app.catalog.linking import link
from app.catalog.loader import load_flow, read_flow
from app.language.environment import Environment
from app.language.services.file import load_services
from app.yaml.diagnostics import render
from tests.blackbox.client import eventually, exchange, request
from tests.blackbox.server import PROJECT, TOKEN, Server, environment, serving
from tests.certificates import Authority
from tests.pages import blocks, files, lint, perform, session, with_siteswap, write

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
NAMED_FLOW = re.compile(r"# flows/(\w+)/(v\d+)\.yaml\n")
SERVICES = "# flows/services.yaml\n"
SECRET = re.compile(r"\bsecrets\.(\w+)")
COOKBOOK = sorted((PROJECT / "docs" / "cookbook").glob("*.md"))
"""The commands of these pages are typed by tests/cookbook, where their servers are."""


def flows(*pages: Path) -> dict[str, str]:
    """Every complete flow that these pages show, or all, by ``page: key/version``."""
    return {
        f"{page.name}: {named[1]}/{named[2]}": text
        for page in pages or PAGES
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
    diagnostics = dict(zip(drafts, link(drafts.values(), {}, Environment()), strict=True))[
        named
    ].diagnostics
    assert not diagnostics, "\n".join(
        render(str(path), text, diagnostic) for diagnostic in diagnostics
    )


def services(page: Path) -> str | None:
    """The services file that a page shows; it is for the flows of this page."""
    return next((text for text in blocks(page, "yaml") if text.startswith(SERVICES)), None)


WITH_SERVICES = [page for page in PAGES if services(page)]


@pytest.mark.parametrize("page", WITH_SERVICES, ids=lambda page: str(page.name))
def test_shown_services_have_no_findings(page: Path, tmp_path: Path) -> None:
    """The linter has nothing against the file, nor against how the flows of its page use it."""
    text = services(page) or ""
    write_tls_files(tmp_path, text)
    loaded = load_services(tmp_path, text, Environment())
    assert not loaded.diagnostics, "\n".join(
        render(str(page), text, one) for one in loaded.diagnostics
    )
    known = Environment(services=loaded.services, databases=loaded.databases)
    for name, flow in flows(page).items():
        path = PurePath(f"{name.split(': ')[1]}.yaml")
        assert not load_flow(path, flow, known).diagnostics


def write_tls_files(folder: Path, text: str) -> None:
    """The files that ``tls`` of a shown services file may name."""
    if "tls:" in text:
        Authority(folder / "tls").sign("caller")


def test_every_yaml_block_is_a_whole_file() -> None:
    """No yaml on any page escapes the tests."""
    shown = sum(len(blocks(page, "yaml")) for page in PAGES)
    assert shown == len(flows()) + len(WITH_SERVICES)


def commands(page: Path) -> list[tuple[str, str]]:
    """All commands of a page, as they are typed into one shell."""
    return [typed for block in blocks(page, "console") for typed in session(block)]


@pytest.mark.parametrize("page", COOKBOOK, ids=lambda page: page.stem)
def test_a_recipe_has_no_findings(page: Path, tmp_path: Path) -> None:
    """All yaml of a recipe is whole files, and the linter has nothing against them together."""
    write(page, tmp_path / "flows")
    assert len(files(page)) == len(blocks(page, "yaml"))
    assert "0 errors, 0 warnings" in lint(tmp_path)


@contextmanager
def showing(folder: Path, pages: Sequence[Path], text: str = "") -> Iterator[Server]:
    """A server for pages, with the flows they show, and the services file ``text`` if there is one.

    Every secret that the file reads is there.
    """
    secrets = {f"SECRET_{name}": f"value of {name}" for name in SECRET.findall(text)}
    with serving(folder, workers=2, PYTHON_STEPS="on", **secrets) as running:
        shutil.copy(PROJECT / "wsgi.py", running.folder)
        if text:
            write_tls_files(running.flows, text)
            (running.flows / "services.yaml").write_text(text)
        for name, flow in flows(*pages).items():
            file = running.flows / f"{name.split(': ')[1]}.yaml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(flow)
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of the pages that show no services file."""
    pages = [page for page in PAGES if page not in WITH_SERVICES]
    with showing(tmp_path_factory.mktemp("docs"), pages) as running:
        yield running


def type_along(page: Path, server: Server) -> None:
    """Perform a page's commands beside a server."""
    own = {"BASE": f"http://127.0.0.1:{server.port}", "TOKEN": TOKEN}
    perform(commands(page), server.folder, with_siteswap({**server.environment, **own}))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES[1:] if page not in WITH_SERVICES],
    ids=lambda page: str(page.name),
)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, server: Server) -> None:
    """A reader who types along sees the same."""
    type_along(page, server)


@pytest.mark.parametrize("page", WITH_SERVICES, ids=lambda page: str(page.name))
def test_the_commands_of_a_page_with_services(page: Path, tmp_path: Path) -> None:
    """The same where a page has a services file, in a folder of its own."""
    with showing(tmp_path, [page], services(page) or "") as running:
        type_along(page, running)


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
        typed = subprocess.run(shell, capture_output=True, check=True, timeout=60)
        answer = typed.stdout.decode()
        assert '"data":{"userName":"juggle","age":18,"orderName":"送10元话费"}}' in answer
        changed = {"127.0.0.1:9127": address}
        perform(commands(clone / "README.md"), clone, variables, changed)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    assert process.poll() is None, log.read_text()
    found = re.search(r"Listening at: http://(\S+)", log.read_text())
    return found[1] if found else ""
