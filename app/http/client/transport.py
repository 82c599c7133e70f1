"""A request as the bytes that go over the wire."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache

from app.config.tls import Tls, context_of, trusted_context
from app.http.client.connection import Connection, Deadline, Resolve, dial, failure, resolve
from app.http.client.guard import Network, guarded
from app.http.client.pool import ConnectionKey, IdlePool
from app.http.client.response import ResponseParser
from app.http.message import Request, Response, TransportError
from app.http.url import Origin, split_url

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*")
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def encode(request: Request, origin: Origin, target: str) -> bytes:
    """Head and body as HTTP/1.1; header values are written as UTF-8.

    Raises:
        TransportError: kind ``request``; the method or a header cannot be sent.
    """
    method, body = request.method, bytes(request.body)
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise TransportError("request", f"the method {method[:20]!r} cannot be sent")
    lines = [f"{method} {target} HTTP/1.1", *_header_lines(request.headers, origin)]
    if body or method in _METHODS_WITH_BODY:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode() + body


def _header_lines(headers: Mapping[str, str], origin: Origin) -> list[str]:
    given = {name.lower() for name in headers}
    if not given.isdisjoint(_FRAMING):
        raise TransportError("request", "Content-Length and Transfer-Encoding cannot be chosen")
    lines = [] if "host" in given else [f"Host: {origin.authority}"]
    if "accept-encoding" not in given:
        lines.append("Accept-Encoding: gzip")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise TransportError("request", f"the header {name[:80]!r} holds a control character")
        lines.append(f"{name}: {value}")
    return lines


_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that only read (RFC 9110, 9.2.1), so that a second time has no effect. A ``PUT`` or
``DELETE`` may be idempotent, but whether it may happen twice is for the flow to say."""

_MAX_CONTEXTS = 256
"""Services with files of their own whose TLS contexts are kept."""


class NetworkTransport:
    """Sends requests to other machines. Opens nothing before it is used, so it may cross a fork."""

    def __init__(
        self,
        *,
        max_idle: int = 512,
        idle_seconds: float = 30.0,
        resolve: Resolve = resolve,
        private_networks: Sequence[Network] = (),
        tls: Callable[[], ssl.SSLContext] = trusted_context,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep up to ``max_idle`` unused connections, each for up to ``idle_seconds``.

        Guarded requests may go to ``private_networks``, too.
        """
        self._clock = clock
        self._resolve = {False: resolve, True: guarded(resolve, private_networks)}
        self._make_tls = tls
        self._context = lru_cache(_MAX_CONTEXTS)(self._new_context)
        self._pool = IdlePool(max_idle, idle_seconds, clock)

    def send(self, request: Request) -> Response:
        """Exchange one request for one response.

        Raises:
            TransportError: no usable answer; its text names host and port, and nothing else of
                the request.
        """
        origin, target = split_url(request.url)
        data = encode(request, origin, target)
        try:
            return self._exchange(request, origin, data)
        except TransportError as error:
            raise TransportError(error.kind, f"{origin.place}: {error.message}") from None

    def close(self) -> None:
        """Close every idle connection."""
        self._pool.close()

    def _new_context(self, tls: Tls | None) -> ssl.SSLContext:
        return self._make_tls() if tls is None else context_of(tls)

    def _exchange(self, request: Request, origin: Origin, data: bytes) -> Response:
        deadline = Deadline(request.timeout, self._clock)
        use = ConnectionKey(origin, request.is_guarded, request.tls)
        answer = ResponseParser(request.method, request.max_bytes)
        if connection := self._pool.take(use):
            try:
                return self._converse(use, connection, data, answer, deadline)
            except TransportError as error:
                if not _may_repeat(request, answer, error):
                    raise
                answer = ResponseParser(request.method, request.max_bytes)
        resolve = self._resolve[use.is_guarded]
        connection = dial(origin, deadline, resolve, lambda: self._context(use.tls))
        return self._converse(use, connection, data, answer, deadline)

    def _converse(
        self,
        use: ConnectionKey,
        connection: Connection,
        data: bytes,
        answer: ResponseParser,
        deadline: Deadline,
    ) -> Response:
        """Send the request and read the answer; then keep the connection, or close it."""
        try:
            _talk(connection, data, answer, deadline)
        except BaseException:
            connection.close()
            raise
        if answer.keeps_connection:
            self._pool.put(use, connection)
        else:
            connection.close()
        return answer.response()


def _may_repeat(request: Request, answer: ResponseParser, error: TransportError) -> bool:
    """Whether the server just closed the idle connection while the request was on its way."""
    is_unanswered = error.kind == "connection" and not answer.has_begun
    return is_unanswered and request.method in _SAFE


def _talk(connection: Connection, data: bytes, answer: ResponseParser, deadline: Deadline) -> None:
    try:
        # A server may answer, and close, before it has read a large body: its answer says why.
        with suppress(ConnectionError):
            connection.send(data, deadline)
        while not answer.is_complete:
            answer.receive(connection.receive(deadline))
    except OSError as error:
        raise failure(error, deadline, answer.progress) from None
