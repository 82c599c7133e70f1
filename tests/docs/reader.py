"""A reader of a page of the docs, who types along."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.blackbox.server import PROJECT, TOKEN, Server, environment
from tests.certificates import Authority
from tests.pages import all_blocks, files, perform, session, with_siteswap, write, write_file

SECRET = re.compile(r"\bsecrets\.(\w+)")


class Reader:
    """Follows one page, block by block, in a project folder."""

    def __init__(self, page: Path, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._variables = with_siteswap(variables)
        self._left = list(all_blocks(page))
        self._typed = 0

    def read_on(self, number: int) -> None:
        """Write and type what comes before this console block (from 0), and the block itself."""
        while self._typed <= number:
            block = self._left.pop(0)
            if block.file:
                write_file(self._folder / "flows", block.file, block.text)
            elif block.language == "console":
                self._typed += 1
                perform(session(block.text), self._folder, self._variables)


@contextmanager
def reading(page: Path, folder: Path) -> Iterator[Reader]:
    """A reader in a folder with the page's files; beside a server if the page calls one.

    Every secret that the services file of the page reads is there.
    """
    for name in ("gunicorn.conf.py", "wsgi.py"):
        shutil.copy(PROJECT / name, folder)
    shutil.copytree(PROJECT / "flows", folder / "flows")
    services = files(page).get("services", "")
    write_tls_files(folder / "flows", services)
    write(page, folder / "flows")
    secrets = {f"SITESWAP_SECRET_{name}": f"value of {name}" for name in SECRET.findall(services)}
    variables = environment({"SITESWAP_PYTHON_STEPS": "on", "WEB_CONCURRENCY": "2", **secrets})
    if "$BASE" not in page.read_text():
        yield Reader(page, folder, variables)
        return
    server = Server(folder, variables)
    try:
        server.wait_until_ready(2)
        own = {"BASE": f"http://127.0.0.1:{server.port}", "TOKEN": TOKEN}
        yield Reader(page, folder, {**server.environment, **own})
    finally:
        server.stop()


def write_tls_files(folder: Path, services: str) -> None:
    """The files that ``tls`` of a shown services file may name."""
    if "tls:" in services:
        Authority(folder / "tls").sign("caller")
