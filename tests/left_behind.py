"""A plugin for pytest: a file whose tests leave a process behind fails, and that is ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.blackbox.client import eventually

SESSION = "TESTS_OF"
"""The environment variable of all processes of a session: the process id of its pytest."""

ORPHANS_SECONDS = 10

_shared = set[int]()
"""Children that a fixture of several files has started: it ends them."""


def pytest_sessionstart() -> None:
    """Mark all processes of this session: it is in their environment, whoever their parent is."""
    os.environ[SESSION] = str(os.getpid())


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
    """Remember which children belong to a fixture of several files."""
    before = children()
    result = yield
    if fixturedef.scope in ("package", "session"):
        _shared.update(children() - before)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """At the end of a file, fail if it left a process behind, and end that."""
    result = yield
    if nextitem is None or nextitem.path != item.path:
        left = (children() - _shared) | orphans()
        found = [f"{_test(pid)}: {_read(pid, 'cmdline')}" for pid in left]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert not found, "processes are left behind"
    return result


def children() -> set[int]:
    """The process ids of the children of this process that live."""
    found = set[int]()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in found if _parent(pid)}


def orphans() -> set[int]:
    """Processes of this session whose parent has gone; those that notice it have time to go."""

    def look() -> set[int]:
        marked = f"{SESSION}={os.getpid()}\0"
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return {pid for pid in pids if _parent(pid) == 1 and marked in _read(pid, "environ")}

    with suppress(AssertionError):
        return eventually(look, lambda found: not found, ORPHANS_SECONDS)
    return look()


def _parent(pid: int) -> int:
    """The process id of its parent; 0 when it has ended."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields and fields[0] != "Z" else 0


def _test(pid: int) -> str:
    """The test that started it, which pytest has in its environment."""
    _, _, rest = _read(pid, "environ").partition("PYTEST_CURRENT_TEST=")
    return rest.partition("\0")[0]


def _read(pid: int, name: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_text("utf-8", "replace")
    return ""
