"""A few warm child processes that run the code of ``python`` steps, one call at a time each."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.python.contract import PythonCall, PythonFailure, PythonResult
from app.python.process import Died, Exchange, Late, PythonProcess, TooLarge
from app.strict_json import MAX_DEPTH, JsonError, dumps, loads

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables that a child gets from our environment; our own settings and secrets are not there."""

_PROGRAM = Path(__file__).with_name("child.py")
_ANSWER_DEPTH = MAX_DEPTH + 1


class PythonPool:
    """Starts children when they are needed, at most ``size``, and keeps them for the next call.

    ``memory`` is in bytes of address space for each. One that a call has damaged is replaced.
    """

    def __init__(
        self, *, size: int, memory: int, environ: Mapping[str, str], monotonic: Callable[[], float]
    ) -> None:
        # Isolated: neither the working folder nor PYTHON* variables lead to other modules.
        isolated = ("-I", "-X", "utf8", "-W", "ignore::SyntaxWarning")
        self._command = (sys.executable, *isolated, str(_PROGRAM), str(memory))
        self._environ = {name: environ[name] for name in INHERITED if name in environ}
        self._monotonic = monotonic
        self._places = threading.Semaphore(size)
        self._idle: list[PythonProcess] = []
        self._is_closed = False

    def run(self, call: PythonCall) -> PythonResult:
        """See :class:`app.python.contract.PythonRunner`."""
        ends = self._monotonic() + call.timeout
        request = {"code": call.code, "data": call.data, "max_bytes": call.max_bytes}
        encoded = dumps(request).encode()
        if not self._places.acquire(timeout=max(0.0, call.timeout)):
            return _failed("every process that runs code was busy", is_late=True)
        try:
            return self._run(encoded, call.max_bytes, lambda: ends - self._monotonic())
        finally:
            self._places.release()

    def close(self) -> None:
        """End the children: the idle ones now, each other one when its call is over."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().end()

    def _run(
        self, request: bytes, max_bytes: int, seconds_left: Callable[[], float]
    ) -> PythonResult:
        try:
            process = self._ready()
        except OSError as error:
            return _failed(f"no process could be started: {error.strerror}")
        exchange, is_good = Exchange(process, request, max_bytes), False
        try:
            exchange.run(seconds_left)
            answer, is_good = _decoded(exchange.answer)
        except Late:
            answer = {"error": "the code was stopped", "late": True}
        except TooLarge:
            answer = {"error": "the result is too large"}
        except Died:
            answer = {"error": f"its process ended {process.end()}"}
        finally:
            # Also when this greenlet is killed: nobody knows what the child does then.
            self._put_back(process, is_good=is_good)
        return _done(answer, bytes(exchange.output))

    def _ready(self) -> PythonProcess:
        while self._idle:
            process = self._idle.pop()
            if process.is_ready:
                return process
            process.end()
        return PythonProcess(self._command, self._environ)

    def _put_back(self, process: PythonProcess, *, is_good: bool) -> None:
        if is_good and not self._is_closed:
            self._idle.append(process)
        else:
            process.end()


def _decoded(text: bytes) -> tuple[dict[str, Any], bool]:
    """An answer, and whether its process can be used again."""
    try:
        answer: dict[str, Any] = loads(text, _ANSWER_DEPTH)
    except JsonError as error:
        return {"error": f"the result is not JSON that is accepted: {error}"}, True
    return answer, not answer.get("spent", False)


def _done(answer: dict[str, Any], output: bytes) -> PythonResult:
    if "error" not in answer:
        return PythonResult(answer["value"], output=output)
    failure = PythonFailure(answer["error"], answer.get("line"), answer.get("late", False))
    return PythonResult(failure=failure, output=output)


def _failed(message: str, *, is_late: bool = False) -> PythonResult:
    return PythonResult(failure=PythonFailure(message, is_late=is_late))
