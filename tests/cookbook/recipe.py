"""A recipe of the cookbook in front of a running server, beside the APIs that it calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.blackbox.client import Client
from tests.blackbox.server import PROJECT, TOKEN, Server, serving
from tests.cookbook.api import Api, addresses
from tests.pages import blocks, perform, session, with_siteswap, write

LEASE = "2s"
"""A process that died is noticed soon."""


class Recipe:
    """The files of one page, served; ``apis`` are the servers they call, by their names there."""

    def __init__(self, page: Path, server: Server, apis: Mapping[str, Api]) -> None:
        self.server = server
        self.apis = apis
        self._changed = addresses(apis)
        self._untyped = [session(block) for block in blocks(page, "console")]

    @property
    def client(self) -> Client:
        """A caller."""
        return self.server.client

    def calls(self, *names: str) -> list[str]:
        """The request lines that these APIs have seen, one API after the other."""
        return [line for name in names for line in self.apis[name].lines]

    def type_next(self) -> None:
        """Type the page's next block of commands; they print what the page shows."""
        own = {"BASE": f"http://127.0.0.1:{self.server.port}", "TOKEN": TOKEN}
        variables = with_siteswap({**self.server.environment, **own})
        perform(self._untyped.pop(0), self.server.folder, variables, self._changed)

    def type_all(self) -> None:
        """Type what is left."""
        while self._untyped:
            self.type_next()

    def is_typed(self) -> bool:
        """Whether nothing of the page is left."""
        return not self._untyped


@contextmanager
def served(folder: Path, name: str, **apis: Api) -> Iterator[Recipe]:
    """The recipe of this name, with these APIs behind it; nothing in it meets a bug."""
    page = PROJECT / "docs" / "cookbook" / f"{name}.md"
    with ExitStack() as stack:
        for api in apis.values():
            stack.enter_context(api)
        write(page, folder / "flows", addresses(apis))
        server = stack.enter_context(serving(folder, LEASE=LEASE))
        yield Recipe(page, server, apis)
    assert "Traceback" not in server.log
