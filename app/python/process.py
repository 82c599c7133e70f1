"""A child process as its parent sees it: one call at a time, with a deadline on all of it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence

MAX_OUTPUT = 20_000
"""Bytes of what a call prints that are kept."""

_LENGTH = struct.Struct("!I")
_BLOCK = 65_536
_PIPE_BLOCKS = 16
_SLACK = 200_000
"""Bytes of an answer beside the result: a long message of an error."""


class Died(Exception):
    """The process ended in the middle of a call."""


class Late(Exception):
    """The deadline came first. The process is no good any more."""


class TooLarge(Exception):
    """The answer is larger than the child was told. The process is no good any more."""


class PythonProcess:
    """A child that leads a process group of its own, which ends with it.

    Nothing here blocks a thread of which others need a share: under gevent ``select.poll`` lets
    them run, and nothing is read or written before it says so.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=dict(environ),
            start_new_session=True,
        )
        streams = (self._child.stdin, self._child.stdout, self._child.stderr)
        self._streams = [stream for stream in streams if stream is not None]
        self.calls, self.answers, self.prints = (each.fileno() for each in self._streams)
        for descriptor in (self.calls, self.answers, self.prints):
            os.set_blocking(descriptor, False)
        self._has_ended = False

    @property
    def is_ready(self) -> bool:
        """Whether it can be given a call: it lives, and has said nothing that nobody asked for."""
        return _read(self.answers) is None

    def end(self) -> str:
        """Kill it and all that it has started; how it ended, in words. Later calls do nothing."""
        if not self._has_ended:
            self._kill()
        status = self._child.returncode or 0
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"

    def _kill(self) -> None:
        self._has_ended = True
        # Its group's number is not used again while anything in the group lives.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.close()


class Exchange:
    """One call: ``answer`` is complete once ``run`` returns; ``output`` is what was printed."""

    def __init__(self, process: PythonProcess, request: bytes, max_bytes: int) -> None:
        self._process = process
        self._outgoing = memoryview(_LENGTH.pack(len(request)) + request)
        self._incoming = bytearray()
        self._max_bytes = max_bytes + _SLACK
        self._handlers = {
            process.calls: self._write,
            process.answers: self._take_answer,
            process.prints: self._take_prints,
        }
        self._poll = select.poll()
        self.output = bytearray()

    @property
    def answer(self) -> bytes:
        """The JSON text of the answer."""
        return bytes(self._incoming[_LENGTH.size :])

    def run(self, seconds_left: Callable[[], float]) -> None:
        """Send and receive until the answer is here.

        Raises:
            Died, Late, TooLarge: there is no answer. ``end`` the process then.
        """
        process = self._process
        self._write()  # Nearly always there is room for all of it.
        if self._outgoing:
            self._poll.register(process.calls, select.POLLOUT)
        self._poll.register(process.answers, select.POLLIN)
        self._poll.register(process.prints, select.POLLIN)
        while not self._is_complete:
            if (left := seconds_left()) <= 0:
                raise Late
            for descriptor, _ in self._poll.poll(left * 1_000):
                self._handlers[descriptor]()
        self._take_last_prints()

    @property
    def _is_complete(self) -> bool:
        if len(self._incoming) < _LENGTH.size:
            return False
        (length,) = _LENGTH.unpack_from(self._incoming)
        if length > self._max_bytes:
            raise TooLarge
        return len(self._incoming) >= _LENGTH.size + int(length)

    def _write(self) -> None:
        try:
            self._outgoing = self._outgoing[os.write(self._process.calls, self._outgoing) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._outgoing = self._outgoing[:0]  # The end of the answers will say so.
        if not self._outgoing:
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._process.calls)

    def _take_answer(self) -> None:
        data = _read(self._process.answers)
        if data == b"":
            raise Died
        self._incoming += data or b""

    def _take_prints(self) -> None:
        data = _read(self._process.prints)
        if data == b"":
            self._poll.unregister(self._process.prints)
        self.output += (data or b"")[: MAX_OUTPUT - len(self.output)]

    def _take_last_prints(self) -> None:
        """What was printed before the answer is in the pipe by now, which holds a few blocks."""
        for _ in range(_PIPE_BLOCKS):
            data = _read(self._process.prints)
            if not data:
                return
            self.output += data[: MAX_OUTPUT - len(self.output)]


def _read(descriptor: int) -> bytes | None:
    """What is there; empty at the end, ``None`` while nothing is there."""
    try:
        return os.read(descriptor, _BLOCK)
    except BlockingIOError:
        return None
