"""The Python contract: trusted code runs in a process of its own."""

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
    """Why there is no result. ``line`` is that of the code, from 1, if the code raised an error.

    ``is_late``: the time was over; the code was stopped, or no process was free to run it.
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
        """Keep no idle process. A call that is under way runs on, to the end of its time at most.

        All children end with this process, however it ends.
        """
