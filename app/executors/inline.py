"""The executor that runs an instance at once, in its caller: for the command line and tests."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import Busy


class InlineExecutor:
    """Runs each instance inside ``submit``; a bug in ``execute`` is raised to its caller."""

    def __init__(self, execute: Callable[[str], None]) -> None:
        self._execute = execute
        self._closed = False

    def reserve(self) -> None:
        if self._closed:
            raise Busy("this process is stopping")

    def submit(self, instance_id: str) -> None:
        self._execute(instance_id)

    def cancel(self) -> None:
        """There is always a place."""

    def close(self, timeout: float) -> None:
        """Nothing runs between two submissions."""
        self._closed = True
