"""The program of a child process: it runs the code of ``python`` steps, one call after the other.

It is started as a script of its own and imports nothing of ours. A call comes on standard input and
is answered on standard output, each as its length in four bytes and a JSON object. Both are moved
to other descriptors before code runs, whose prints go to standard error. When the other end of
standard input is closed, this process is killed, and with it all that its code has started.
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
from typing import Any, BinaryIO

FILE = "<step>"
MAX_DEPTH = 100
MAX_MESSAGE = 20_000
"""Characters of an error that are sent: enough to mask secrets in what will be shown of them."""

_LENGTH = struct.Struct("!I")


class NotPlainError(Exception):
    """Something in the result is not JSON data; ``path``, keys and indexes, leads to it."""

    def __init__(self, path: tuple[Any, ...], what: str) -> None:
        keys = "".join(f"[{key!r:.80}]" for key in path)[-200:]
        super().__init__(f"{keys} of the result {what}" if keys else f"the result {what}")


def main(memory: int) -> None:
    """Serve calls until the parent is gone, or one of them has used up this process."""
    calls, answers = _own_pipes()
    threading.Thread(target=_end_with_parent, args=(calls.fileno(),), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # Where the limit is lower already, or unknown (macOS).
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    process, is_spent = os.getpid(), False
    while not is_spent:
        (length,) = _LENGTH.unpack(_read(calls, _LENGTH.size))
        answer, is_spent = _answer(json.loads(_read(calls, length)))
        if os.getpid() != process:
            os._exit(0)  # The code forked, and this is the copy.
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()
    # Not an orderly end, which could wait for threads of the code.
    os._exit(0)


def _answer(call: dict[str, Any]) -> tuple[bytes, bool]:
    """The answer to a call, and whether this process must not be used again."""
    sys.stdout = sys.stderr = output = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    is_spent, line = False, None
    try:
        result = _result(call)
        _check(result)
        value = json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
        if len(value) <= call["max_bytes"]:
            return b'{"value":%b}' % value, False
        message = f"the result takes {len(value)} bytes, and {call['max_bytes']} are allowed"
    except NotPlainError as error:
        message = str(error)
    except UnicodeEncodeError:
        message = "the result holds half a character (a lone surrogate)"
    except BaseException as error:  # noqa: BLE001 - whatever the code does, its caller is told
        is_spent = isinstance(error, MemoryError) or not isinstance(error, Exception)
        message, line = _described(error), _line(error)
    finally:
        with contextlib.suppress(OSError, ValueError, MemoryError):  # The code has closed it.
            output.flush()
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


def _check(value: Any, path: tuple[Any, ...] = ()) -> None:
    """Refuse what a reader of JSON would not get back as it is; a tuple counts as a list."""
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotPlainError(path, f"is {value}, which JSON does not have")
        return
    if not isinstance(value, dict | list | tuple):
        raise NotPlainError(path, f"is of type {type(value).__name__}, which JSON does not have")
    if len(path) == MAX_DEPTH:
        raise NotPlainError(path, f"is nested deeper than {MAX_DEPTH}")
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if not isinstance(key, str) and isinstance(value, dict):
            raise NotPlainError(path, f"has a key that is of type {type(key).__name__}, not text")
        _check(item, (*path, key))


def _described(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the code ended its process ({error.code!r:.80})"
    if isinstance(error, MemoryError):
        return "MemoryError: the code needs more memory than it may have"
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


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output, at descriptors that no code uses by accident."""
    calls, answers = open(os.dup(0), "rb"), open(os.dup(1), "wb")  # noqa: SIM115
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return calls, answers


def _end_with_parent(calls: int) -> None:
    """Wait until the other end of the pipe is closed, also while code runs; then end everything."""
    poll = select.poll()
    poll.register(calls, 0)  # Asks for nothing, and so is told of the end alone.
    poll.poll()
    os.killpg(0, signal.SIGKILL)


def _read(calls: BinaryIO, size: int) -> bytes:
    data = calls.read(size)
    if len(data) < size:
        os.killpg(0, signal.SIGKILL)
    return data


if __name__ == "__main__":
    main(int(sys.argv[1]))
