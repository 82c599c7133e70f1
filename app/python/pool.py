"""A few warm child processes that run the code of ``python`` steps, one call at a time each."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.python.contract import PythonCall, PythonFailure, PythonResult
from app.strict_json import MAX_DEPTH, JsonError, dumps, loads

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables that a child gets from our environment; our own settings and secrets are not there."""
MAX_OUTPUT = 20_000
"""Bytes of what a call prints that are kept."""

_PROGRAM = Path(__file__).with_name("child.py")
_LENGTH = struct.Struct("!I")
_BLOCK = 65_536
_PIPE_BLOCKS = 16
_SLACK = 200_000
"""Bytes of an answer that are not its result: a long message of an error."""


class PythonPool:
    """A :class:`app.python.contract.PythonRunner` of at most ``size`` children.

    They are started when they are needed and kept for the next call; one that a call has damaged
    is replaced. ``memory`` is in bytes of address space for each.
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
        self._idle: list[_Child] = []
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
        """See :class:`app.python.contract.PythonRunner`."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().end()

    def _run(
        self, request: bytes, max_bytes: int, seconds_left: Callable[[], float]
    ) -> PythonResult:
        try:
            child, is_good = self._ready(), False
        except OSError as error:
            return _failed(f"no process could be started: {error.strerror}")
        try:
            text = child.exchange(request, max_bytes + _SLACK, seconds_left)
            is_good = True
            answer = loads(text, MAX_DEPTH + 1)
            is_good = not answer.get("spent", False)
        except _NoAnswer as error:
            answer = {"error": error.message, "late": error.is_late}
        except JsonError as error:
            answer = {"error": f"the result is not JSON that is accepted: {error}"}
        finally:
            # Also when this greenlet is killed: what the child does then is unknown.
            if is_good and not self._is_closed:
                self._idle.append(child)
            else:
                child.end()
        output = bytes(child.output)
        if "error" not in answer:
            return PythonResult(answer["value"], output=output)
        return _failed(answer["error"], answer.get("line"), answer.get("late", False), output)

    def _ready(self) -> _Child:
        while self._idle:
            child = self._idle.pop()
            if child.is_ready:
                return child
            child.end()
        return _Child(self._command, self._environ)


def _failed(
    message: str, line: int | None = None, is_late: bool = False, output: bytes = b""
) -> PythonResult:
    return PythonResult(failure=PythonFailure(message, line, is_late), output=output)


class _NoAnswer(Exception):
    """A call got no answer, and its process is of no use any more."""

    def __init__(self, message: str, *, is_late: bool = False) -> None:
        self.message = message
        self.is_late = is_late


class _Child:
    """A child process, the leader of a process group that is killed with it.

    Under gevent the other greenlets go on while this one waits in ``select.poll``; nothing is read
    or written that would block the thread.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=dict(environ),
            start_new_session=True,
        )
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._streams = [stream for stream in streams if stream is not None]
        self._calls, self._answers, self._prints = (each.fileno() for each in self._streams)
        for descriptor in (self._calls, self._answers, self._prints):
            os.set_blocking(descriptor, False)
        self._has_ended = False
        self.output = bytearray()

    @property
    def is_ready(self) -> bool:
        """Whether it can be given a call: it lives, and has sent nothing unasked."""
        return _read(self._answers) is None

    def exchange(self, request: bytes, max_bytes: int, seconds_left: Callable[[], float]) -> bytes:
        """Send a call and return the JSON text of its answer; ``output`` is what it printed.

        Raises:
            _NoAnswer: the process ended, the time was over, or the answer is too large.
        """
        self.output = bytearray()
        self._send(memoryview(_LENGTH.pack(len(request)) + request), seconds_left)
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        poll.register(self._prints, select.POLLIN)
        incoming = bytearray()
        while not _is_complete(incoming, max_bytes):
            for descriptor in _wait(poll, seconds_left):
                data = _read(descriptor)
                if descriptor == self._answers:
                    incoming += self._alive(data)
                elif data == b"":
                    poll.unregister(descriptor)
                else:
                    self._print(data)
        # What was printed before the answer is in the pipe by now, which holds a few blocks.
        for _ in range(_PIPE_BLOCKS):
            if not self._print(_read(self._prints)):
                break
        return bytes(incoming[_LENGTH.size :])

    def end(self) -> str:
        """Kill it and what it has started; later calls do nothing. Returns how it ended."""
        if not self._has_ended:
            self._has_ended = True
            # Its group's number is not used again while anything in the group lives.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for stream in self._streams:
                with contextlib.suppress(OSError):
                    stream.close()
        status = self._process.returncode or 0
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"

    def _send(self, request: memoryview, seconds_left: Callable[[], float]) -> None:
        poll = select.poll()
        poll.register(self._calls, select.POLLOUT)
        while request:
            try:
                request = request[os.write(self._calls, request) :]
            except BlockingIOError:
                _wait(poll, seconds_left)
            except BrokenPipeError:
                return  # The end of the answers will say so.

    def _alive(self, data: bytes | None) -> bytes:
        if data == b"":
            raise _NoAnswer(f"its process ended {self.end()}")
        return data or b""

    def _print(self, data: bytes | None) -> bytes | None:
        self.output += (data or b"")[: MAX_OUTPUT - len(self.output)]
        return data


def _wait(poll: select.poll, seconds_left: Callable[[], float]) -> list[int]:
    """The descriptors of which something can be done."""
    if (left := seconds_left()) <= 0:
        raise _NoAnswer("the code was stopped", is_late=True)
    return [descriptor for descriptor, _ in poll.poll(left * 1_000)]


def _is_complete(incoming: bytearray, max_bytes: int) -> bool:
    if len(incoming) < _LENGTH.size:
        return False
    (length,) = _LENGTH.unpack_from(incoming)
    if length > max_bytes:
        raise _NoAnswer("the result is too large")
    return len(incoming) >= _LENGTH.size + int(length)


def _read(descriptor: int) -> bytes | None:
    """What is there; empty at the end, ``None`` while nothing is there."""
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None
