"""The Python contract: code that an author is trusted with runs in a process that is not ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class PythonCall:
    """One run of the body of a function, whose parameters are the names of ``data``.

    ``data`` holds JSON values. ``timeout`` is in seconds, ``max_bytes`` bounds the result as JSON.
    """

    code: str
    data: Mapping[str, Any]
    timeout: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class PythonFailure:
    """Why there is no result. ``line`` is of the code, from 1, if the code raised something.

    ``is_late`` says that the time was over: the code was stopped, or found no process to run in.
    """

    message: str
    line: int | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class PythonResult:
    """How a call ended. ``value`` is a JSON value; ``output`` is what the code printed, cut."""

    value: Any = None
    failure: PythonFailure | None = None
    output: bytes = b""


class PythonRunner(Protocol):
    """Runs code; safe to share between threads."""

    def run(self, call: PythonCall) -> PythonResult:
        """Run it to its end, or to the end of its time. Never raises for what the code does."""

    def close(self) -> None:
        """End every process. Calls that are under way fail."""
