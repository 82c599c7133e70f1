"""Servers in processes of their own, on ports of their own, ended by their pid."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 10.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A server on 127.0.0.1 that accepts connections."""

    port: int
    pid: int

    def url(self, target: str) -> str:
        """The absolute URL of a path and query."""
        return f"http://127.0.0.1:{self.port}{target}"

    def cpu_seconds(self) -> float:
        """What the process and its children have used so far, as the kernel counts it."""
        return cpu_seconds(self.pid)


@contextmanager
def running(
    arguments: Sequence[str], port: int, folder: Path, environ: Mapping[str, str]
) -> Iterator[Server]:
    """Run ``python <arguments>`` in a folder until the block ends; it must listen on ``port``.

    Raises:
        RuntimeError: it did not begin to listen; the text holds what it wrote.
    """
    log = folder / f"{port}.log"
    with started(arguments, log, environ, is_ready=lambda: _listens(port)) as pid:
        yield Server(port, pid)


@contextmanager
def started(
    arguments: Sequence[str],
    log: Path,
    environ: Mapping[str, str],
    is_ready: Callable[[], bool],
) -> Iterator[int]:
    """Run ``python <arguments>`` in the folder of its log until the block ends; its pid.

    Raises:
        RuntimeError: it did not become ready; the text holds what it wrote.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        if not _becomes(is_ready, process):
            raise RuntimeError(f"{' '.join(arguments)} does not serve:\n{log.read_text()}")
        yield process.pid
    finally:
        _end(process)


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far, as the kernel counts it."""
    return sum(map(_cpu_seconds, [pid, *_children(pid)]))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _becomes(is_ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if is_ready():
            return True
        time.sleep(0.05)
    return False


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in (*_children(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        process.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _cpu_seconds(pid: int) -> float:
    # The name in parentheses may hold spaces; user and system time are the 14th and 15th field.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
