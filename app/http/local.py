"""Requests to this very application, answered in process, without a socket.

A request that has a route of its own is one function call. Any other is one call of the WSGI
application, with an environment made by hand.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from app.http.message import Content, Request, Response, TransportError, joined
from app.http.url import quoted_target

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
from app.http.message import Transport

Handler = Callable[[str, Content], Response]
"""Query string (still percent-encoded) and body → the answer. Raises nothing."""

Routes = Mapping[tuple[str, str], Handler]
"""Method and path → its handler."""

MAX_DEPTH = 8
"""Calls within calls. A flow that triggers itself would otherwise end in a full stack."""

_depth: ContextVar[int] = ContextVar("depth of local calls", default=0)


class LocalTransport:
    """Answers urls that begin with ``/``."""

    def __init__(
        self, routes: Routes, wsgi: WSGIApplication, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the routes, and the application for everything else (a Flask object will do)."""
        self._routes = routes
        self._wsgi = wsgi
        self._clock = clock

    def send(self, request: Request) -> Response:
        """Answer a request. Nothing cuts the work short; an answer that comes too late is refused.

        Raises:
            TransportError: kind ``too_large``, ``timeout`` or (nested too deep) ``request``.
        """
        path, _, query = quoted_target(request.url.partition("#")[0]).partition("?")
        if handler := self._routes.get((request.method, path)):
            response = handler(query, request.body)
        else:
            response = self._call(request, path, query)
        if isinstance(response.body, bytes) and len(response.body) > request.max_bytes:
            raise _too_large(request)
        return response

    def _call(self, request: Request, path: str, query: str) -> Response:
        depth = _depth.get()
        if depth == MAX_DEPTH:
            text = f"this application calls itself more than {MAX_DEPTH} levels deep"
            raise TransportError("request", text)
        end = self._clock() + request.timeout
        token = _depth.set(depth + 1)
        try:
            response = _respond(self._wsgi, _environment(request, path, query), request)
        finally:
            _depth.reset(token)
        if self._clock() > end:
            seconds = round(request.timeout, 2)
            raise TransportError("timeout", f"timed out after {seconds:g} s before an answer came")
        return response


def _respond(wsgi: WSGIApplication, environment: dict[str, Any], request: Request) -> Response:
    heads: list[tuple[str, list[tuple[str, str]]]] = []
    body = bytearray()

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        heads.append((status, headers))
        return body.extend

    chunks = wsgi(environment, start_response)
    try:
        for chunk in chunks:
            body += chunk
            if len(body) > request.max_bytes:
                raise _too_large(request)
    finally:
        getattr(chunks, "close", lambda: None)()
    status, headers = heads[-1]
    return Response(int(status[:3]), joined(headers), bytes(body))


def _environment(request: Request, path: str, query: str) -> dict[str, Any]:
    """What a WSGI server would pass on (PEP 3333); there, text is bytes as Latin-1."""
    environment = {f"HTTP_{_key(name)}": _native(v) for name, v in request.headers.items()}
    body = bytes(request.body)
    return {
        "HTTP_HOST": "localhost",
        **environment,
        "CONTENT_TYPE": environment.get("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _key(name: str) -> str:
    return name.upper().replace("-", "_")


def _native(value: str) -> str:
    return value if value.isascii() else value.encode(errors="replace").decode("latin-1")


def _too_large(request: Request) -> TransportError:
    return TransportError("too_large", f"the answer is larger than {request.max_bytes} bytes")


class RoutingTransport:
    """Gives each request to the local or to the network transport."""

    def __init__(self, local: Transport, network: Transport) -> None:
        self._local = local
        self._network = network

    def send(self, request: Request) -> Response:
        """Exchange one request for one response.

        Raises:
            TransportError: no usable answer, or of kind ``address``: data led to this application.
        """
        if not request.url.startswith("/"):
            return self._network.send(request)
        if request.is_guarded:
            message = "a url that depends on data may not lead to this very application"
            raise TransportError("address", message)
        return self._local.send(request)
