"""A recipe of the cookbook in front of a running server, beside the APIs that it calls."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.blackbox.client import Client
from tests.blackbox.server import PROJECT, TOKEN, Server, serving
from tests.downstream import Downstream, Respond
from tests.pages import blocks, perform, session, with_siteswap, write

LEASE = "2s"
"""A process that died is noticed soon."""


class Recipe:
    """The files of one page, served; ``apis`` are the servers they call, by their names there."""

    def __init__(self, page: Path, server: Server, apis: Mapping[str, Downstream]) -> None:
        self.server = server
        self.apis = apis
        self._changed = _addresses(apis)
        self._untyped = [session(block) for block in blocks(page, "console")]

    @property
    def client(self) -> Client:
        """A caller."""
        return self.server.client

    def calls(self, *names: str) -> list[str]:
        """The request lines that these APIs have seen, one API after the other."""
        return [line for name in names for line in self.apis[name].lines]

    def reset(self, **responds: Respond) -> None:
        """Let the APIs forget what came and respond so, for the next test."""
        for name, api in self.apis.items():
            api.respond, api.most = responds[name], 0
            api.requests.clear()
            api.is_open.set()

    def kill_worker(self) -> None:
        """``kill -9`` of the one worker; gunicorn starts another."""
        os.kill(self.server.workers[-1], signal.SIGKILL)

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
def served(folder: Path, name: str, **responds: Respond) -> Iterator[Recipe]:
    """The recipe of this name, beside APIs that respond so; nothing in it meets a bug."""
    page = PROJECT / "docs" / "cookbook" / f"{name}.md"
    with ExitStack() as stack:
        apis = {
            name: stack.enter_context(Downstream(respond=each)) for name, each in responds.items()
        }
        write(page, folder / "flows", _addresses(apis))
        server = stack.enter_context(serving(folder, LEASE=LEASE))
        yield Recipe(page, server, apis)
    assert "Traceback" not in server.log


def _addresses(apis: Mapping[str, Downstream]) -> dict[str, str]:
    """What the pages call these APIs, ``http://NAME.internal``, and where they really are."""
    return {f"http://{name}.internal": api.url for name, api in apis.items()}
