"""A WSGI application for the tests of the worker: what it answers depends on the path."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from app.web.worker import Worker

Start = Callable[[str, list[tuple[str, str]]], object]

_served = count(1)


class ImpatientWorker(Worker):
    """Gives clients so little time that a test can wait for its end."""

    head_seconds = 0.5
    body_seconds = 0.5


class Extension:
    """Takes the place of the running parts of Siteswap; tells of its life on standard output."""

    def start(self) -> None:
        """Called in each worker after the fork."""
        print("started", flush=True)

    def close(self, timeout: float) -> None:
        """Called at the end of each worker."""
        print(f"closed with {timeout:.0f} s left", flush=True)


class Application:
    """``/echo`` reads the body, ``/busy`` computes for 2 ms, ``/crash`` fails; others just answer.

    The result names how many requests this worker has served.
    """

    def __init__(self) -> None:
        self.extensions = {"siteswap": Extension()}

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        result: dict[str, Any] = {"served": next(_served)}
        match environ["PATH_INFO"]:
            case "/echo":
                result["bytes"] = len(environ["wsgi.input"].read())
            case "/busy":
                _compute(0.002)
            case "/crash":
                raise LookupError("a bug")
        return _answer(result, start)


def _compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def _answer(result: dict[str, Any], start: Start) -> list[bytes]:
    envelope = {"success": True, "errorCode": 0, "errorMsg": None, "result": result}
    body = json.dumps(envelope).encode()
    content = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Content-Length", f"{len(body)}"),
    ]
    start("200 OK", content)
    return [body]


app = Application()
