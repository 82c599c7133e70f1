"""pycurl under threads, the other serious candidate: measured once, not shipped.

The transport does what a fair comparison needs (a bound on time and on size, no redirects) and no
more. Needs the package ``pycurl``, which is not among the test requirements.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pycurl  # type: ignore[import-untyped]
from flask import Flask

from app import create_app
from app.engine.interpreter import Interpreter
from app.http.message import Request, Response, TransportError
from tests.bench.handwritten import application, over_http


class CurlTransport:
    """Sends each request with the handle of its thread."""

    def __init__(self) -> None:
        self._local = threading.local()

    def send(self, request: Request) -> Response:
        """Exchange one request for one response.

        Raises:
            TransportError: no usable answer.
        """
        head, body = BytesIO(), BytesIO()
        handle = self._handle()
        handle.setopt(pycurl.URL, request.url)
        handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        handle.setopt(pycurl.HTTPHEADER, [f"{k}: {v}" for k, v in request.headers.items()])
        handle.setopt(pycurl.TIMEOUT_MS, int(request.timeout * 1000))
        handle.setopt(pycurl.HEADERFUNCTION, head.write)
        handle.setopt(pycurl.WRITEFUNCTION, _bounded(body, request.max_bytes))
        if content := bytes(request.body):
            handle.setopt(pycurl.POSTFIELDS, content)
        else:
            handle.setopt(pycurl.HTTPGET, 1)
        try:
            handle.perform()
        except pycurl.error as error:
            raise TransportError("connection", str(error)) from None
        status: int = handle.getinfo(pycurl.RESPONSE_CODE)
        return Response(status, _headers(head.getvalue()), body.getvalue())

    def _handle(self) -> pycurl.Curl:
        if not hasattr(self._local, "handle"):
            self._local.handle = pycurl.Curl()
        handle: pycurl.Curl = self._local.handle
        handle.reset()
        handle.setopt(pycurl.NOSIGNAL, 1)
        return handle


def engine() -> Flask:
    """Siteswap with this transport in place of its own."""
    app = create_app()
    runner = app.extensions["siteswap"].runner
    runner.interpreter = Interpreter(
        replace(runner.interpreter.dependencies, transport=CurlTransport())
    )
    return app


def view() -> Flask:
    """The hand-written view with this transport."""
    transport = CurlTransport()

    def exchange(method: str, url: str, headers: dict[str, str], body: bytes) -> bytes:
        return bytes(transport.send(Request(method, url, headers, body, 10.0, 10_000_000)).body)

    return application(over_http(exchange))


def _bounded(body: BytesIO, limit: int) -> Callable[[bytes], int]:
    def write(data: bytes) -> int:
        return body.write(data) if body.tell() + len(data) <= limit else 0

    return write


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.lower(): value.strip() for name, _, value in pairs}
