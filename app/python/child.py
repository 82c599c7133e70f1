"""The program of a child process: it runs the code of ``python`` steps, one call after the other.

It is started as a script of its own and imports nothing of ours. A call comes on standard input and
is answered on standard output, each as its length in four bytes and a JSON object; both are moved
out of the way of the code, whose prints go to standard error. When the other end of standard input
is closed, this process ends, and with it all that its code has started.
"""

from __future__ import annotations

import ast
import contextlib
import json
import math
import os
import resource
import select
import signal
import struct
import sys
import threading
from functools import lru_cache
from types import CodeType
from typing import Any

FILE = "<step>"
MAX_DEPTH = 100
MAX_MESSAGE = 20_000
"""Characters of an error that are sent: enough to mask secrets in what will be shown of them."""

_LENGTH = struct.Struct("!I")


class NotPlainError(Exception):
    """Something in the result is not JSON data; ``keys`` lead to it, the last one first."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.keys: list[Any] = []

    def __str__(self) -> str:
        path = "".join(f"[{key!r:.80}]" for key in reversed(self.keys))
        return (
            f"{path[-200:]} of the result {self.args[0]}" if path else f"the result {self.args[0]}"
        )


def main(memory: int) -> None:
    """Serve calls until the parent is gone, or one of them has used up this process."""
    calls, answers = _own_pipes()
    threading.Thread(target=_end_with_parent, args=(calls,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # Where the limit is lower already, or unknown (macOS).
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    process, is_spent = os.getpid(), False
    while not is_spent:
        answer, is_spent = answered(json.loads(_receive(calls)))
        if os.getpid() != process:
            os._exit(0)  # The code forked, and this is the copy.
        _send(answers, answer)
    # Not an orderly end, which could wait for threads of the code.
    os._exit(0)


def answered(call: dict[str, Any]) -> tuple[bytes, bool]:
    """The answer to a call, and whether this process must not be used again."""
    sys.stdout = sys.stderr = output = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    is_spent, message, line = False, "", None
    try:
        value = json.dumps(_plain(_result(call)), ensure_ascii=False, allow_nan=False).encode()
        if len(value) <= call["max_bytes"]:
            return b'{"value":%b}' % value, False
        message = f"the result takes {len(value)} bytes, and {call['max_bytes']} are allowed"
    except NotPlainError as error:
        message = str(error)
    except UnicodeEncodeError:
        message = "the result holds half a character (a lone surrogate)"
    except MemoryError as error:
        message = "MemoryError: the code needs more memory than it may have"
        is_spent, line = True, _line(error)
    except BaseException as error:  # noqa: BLE001 - whatever the code does, its caller is told
        is_spent, message, line = not isinstance(error, Exception), _described(error), _line(error)
    finally:
        _flush(output)
    return json.dumps({"error": message, "line": line, "spent": is_spent}).encode(), is_spent


def _result(call: dict[str, Any]) -> Any:
    data = call["data"]
    names: dict[str, Any] = {"__name__": "step"}
    exec(_compiled(call["code"], tuple(data)), names)
    return names["step"](**data)


@lru_cache(200)
def _compiled(text: str, parameters: tuple[str, ...]) -> CodeType:
    """The text as the body of a function; its lines keep their numbers, its texts their spaces."""
    tree = ast.parse(f"def step({', '.join(parameters)}): pass")
    tree.body[0].body = ast.parse(text).body  # type: ignore[attr-defined]
    return compile(tree, FILE, "exec")


def _plain(value: Any, depth: int = 0) -> Any:
    """The value, if it is JSON data that a reader gets back as it is; a tuple counts as a list."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if not isinstance(value, dict | list | tuple):
        raise NotPlainError(f"is {_kind(value)}, which JSON does not have")
    if depth == MAX_DEPTH:
        raise NotPlainError(f"is nested deeper than {MAX_DEPTH}")
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict) and not isinstance(key, str):
            raise NotPlainError(f"has a key that is {_kind(key)}, not text")
        try:
            _plain(item, depth + 1)
        except NotPlainError as error:
            error.keys.append(key)
            raise
    return value


def _kind(value: Any) -> str:
    return f"{value}" if isinstance(value, float) else f"of type {type(value).__name__}"


def _described(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the code ended its process ({error.code!r:.80})"
    try:
        text = str(error)[:MAX_MESSAGE]
    except Exception:  # noqa: BLE001 - an exception of the code may be as broken as it likes
        text = "(its message cannot be read)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _line(error: BaseException) -> int | None:
    """The last line of the code on the way to an error."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _flush(output: Any) -> None:
    with contextlib.suppress(OSError, ValueError, MemoryError):  # The code has closed it.
        output.flush()


def _own_pipes() -> tuple[int, int]:
    """Standard input and output, where no code finds them by accident."""
    calls, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return calls, answers


def _end_with_parent(calls: int) -> None:
    """Wait until the other end of the pipe is closed, also while code runs."""
    poll = select.poll()
    poll.register(calls, 0)  # Asks for nothing, and so hears only of the end.
    poll.poll()
    os.killpg(0, signal.SIGKILL)


def _receive(calls: int) -> bytes:
    (length,) = _LENGTH.unpack(_read(calls, _LENGTH.size))
    return _read(calls, length)


def _read(calls: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = os.read(calls, size - len(data))
        if not piece:
            os.killpg(0, signal.SIGKILL)
        data += piece
    return bytes(data)


def _send(answers: int, answer: bytes) -> None:
    view = memoryview(_LENGTH.pack(len(answer)) + answer)
    while view:
        view = view[os.write(answers, view) :]


if __name__ == "__main__":
    main(int(sys.argv[1]))
