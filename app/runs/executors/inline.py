"""The executor that runs an instance at once, in its caller: for the command line and tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.errors import Busy
from app.runs.executor import Lane


class InlineExecutor:
    """Runs each instance inside ``submit``; a bug in ``execute`` is raised to its caller."""

    keeps_queue = True

    def __init__(self, execute: Callable[[str], None]) -> None:
        self._execute = execute
        self._closed = False

    def reserve(self, lane: str = "") -> None:
        if self._closed:
            raise Busy("this process is stopping")

    def submit(self, run_id: str, lane: Lane, *, first: bool = False) -> None:
        self._execute(run_id)

    def cancel(self) -> None:
        """There is always a place."""

    def lost(self, instance_ids: Sequence[str]) -> Sequence[str]:
        return instance_ids

    def close(self, timeout: float) -> bool:
        self._closed = True
        return True
