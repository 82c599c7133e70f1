"""The gunicorn worker: gevent, with deadlines on what a client sends and JSON for what is refused.

It replaces ``AsyncWorker.handle`` of gunicorn's gevent worker. There the head of a request and the
time between two requests have one limit, a body may stall for ever, a client that always has the
next request ready is served before all others, refusals are HTML, and query strings and raw header
lines, which may hold tokens, are logged. This worker speaks HTTP/1.x only.

gunicorn's master imports the whole package before anything is monkey-patched. So no module of it
takes a name such as ``sleep`` or ``Lock`` out of its module at import: it would keep the blocking
one.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import FrameType
from typing import Any

import gevent
from gunicorn.http import errors, get_parser
from gunicorn.http.message import Request
from gunicorn.http.parser import Parser
from gunicorn.util import close
from gunicorn.workers.ggevent import GeventWorker

from app.errors import SiteswapError
from app.web.envelope import Refusal, failure

HEAD_BYTES = 65_536
"""Of one request head. gunicorn searches all it holds of a head again after each read."""

SEND_SECONDS = 60.0
"""For the client to take an answer."""

READ_BYTES = 16_384
"""Most that is read at once, so that the limits are checked in between."""

SLACK_BYTES = 65_536
"""Most of a body that is read for nothing: unread by the application, or the framing of chunks."""

PARTING_SECONDS = 2.0
"""For what is left to do on a connection that is about to be closed."""

IDLE_STEP_SECONDS = 3.0
"""How often an idle connection checks whether the worker is shutting down."""

REFUSALS: dict[type[Exception], tuple[int, str]] = {
    errors.ParseException: (400, "the request is not HTTP/1.1"),
    errors.InvalidRequestLine: (400, "the request line is not HTTP/1.1"),
    errors.InvalidRequestMethod: (400, "the method is not an HTTP method"),
    errors.InvalidHTTPVersion: (505, "only HTTP/1.0 and HTTP/1.1 are spoken here"),
    errors.InvalidHeaderName: (400, "the name of a header is malformed"),
    errors.InvalidHeader: (400, "a header is malformed, or contradicts another"),
    errors.ObsoleteFolding: (400, "a header is folded over two lines"),
    errors.LimitRequestLine: (414, "the request line is too long; send a POST with a body"),
    errors.LimitRequestHeaders: (431, "the request has too many headers, or too large ones"),
    errors.ExpectationFailed: (417, "the only expectation understood is 100-continue"),
    errors.UnsupportedTransferCoding: (501, "the only transfer coding understood is chunked"),
    errors.InvalidChunkSize: (400, "the chunked body is malformed"),
    errors.InvalidChunkExtension: (400, "the chunked body is malformed"),
    errors.ChunkMissingTerminator: (400, "the chunked body is malformed, or ends early"),
    errors.ForbiddenProxyRequest: (403, "this proxy is not allowed here"),
    # A header that the application wrote, and an error in the server's own configuration.
    errors.InvalidResponseHeader: (500, ""),
    errors.InvalidResponseHeaderName: (500, ""),
    errors.ConfigurationProblem: (500, ""),
}
"""gunicorn's reasons to refuse a request → status and message.

The messages are ours, because gunicorn's own repeat what the client sent.
"""


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn is not typed
    """Serves each connection in a greenlet of its own."""

    head_seconds = 10.0
    """For a whole request head, from its first byte; on a new connection, from its start."""

    body_seconds = 60.0
    """For a whole request body: 1 MB at 17 KB/s."""

    _end: float | None = None

    def seconds_left(self) -> float:
        """How long this worker may still take to shut down before gunicorn's master kills it."""
        end = self._end or time.monotonic() + self.cfg.graceful_timeout
        return max(0.0, end - time.monotonic())

    def init_process(self) -> None:
        """Become a worker, after the fork."""
        # Until gunicorn installs a worker's handlers, some 100 ms from here, the process has the
        # master's, which lose the signal; the master would then wait for the graceful timeout.
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        super().init_process()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down gracefully (SIGTERM)."""
        # A second less than the master waits, which counts from before the signal.
        self._end = time.monotonic() + self.cfg.graceful_timeout - 1
        super().handle_exit(sig, frame)

    def notify(self) -> None:
        """Tell the master that the event loop turns; without a master, shut down gracefully."""
        # gunicorn's own would end the process here, in the middle of the requests under way.
        super(GeventWorker, self).notify()
        if self.alive and self.ppid != os.getppid():
            self.log.info("The master is gone: shutting down")
            self.handle_exit(signal.SIGTERM, None)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down at once (SIGINT, SIGQUIT)."""
        self._end = time.monotonic() + PARTING_SECONDS
        super().handle_quit(sig, frame)

    def handle(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Serve one connection until one side closes it."""
        reader = ConnectionReader(client)
        request = None
        try:
            # Not of the listener, which may be closed by now.
            server = client.getsockname()
            for request in self._requests(reader, addr):
                # Raises StopIteration when the connection is to be closed after this answer.
                self.handle_request(server, request, client, addr)
        except StopIteration:
            pass
        except (ConnectionError, TimeoutError, ssl.SSLError, errors.NoMoreData) as error:
            self.log.debug("A client went away: %s", type(error).__name__)
            reader.is_done = True
        except Exception as error:  # noqa: BLE001  (gunicorn's entry point: nothing passes it)
            self.handle_error(request, client, addr, error)
        finally:
            if not reader.is_done:
                _close_gently(client)
            close(client)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn refuses, and bugs of the server itself, in the envelope.

        Nothing that the client sent is logged but the method and path of a bug.
        """
        status, message = refusal_of(exc)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            where = f"{req.method} {req.path}" if req else "a request"
            self.log.error("Error handling %s", where, exc_info=exc)
        else:
            self.log.info("Refused a request of %s: %d, %s", _host(addr), status, message)
        with contextlib.suppress(OSError):
            client.settimeout(PARTING_SECONDS)
            client.sendall(refusal(status, message))

    def _requests(self, reader: ConnectionReader, addr: Any) -> Iterator[Request]:
        parser = get_parser(self.cfg, reader, addr)
        reader.expect(self.head_seconds)
        while (request := _next_request(parser, reader)) is not None:
            reader.expect(self.body_seconds, body=True)
            request.body.reader = BodyReader(request.body.reader, reader)
            yield request
            # A client whose next request is here already would never wait, and starve the others.
            # A timer, because sleep(0) comes back before the other sockets are looked at.
            gevent.sleep(1e-9)
            if not _skip_body(parser, reader) or not self._await_next(parser, reader):
                return

    def _await_next(self, parser: Parser, reader: ConnectionReader) -> bool:
        data = parser.unreader.take_buffered() or self._first_bytes(reader)
        parser.unreader.unread(data)
        reader.expect(self.head_seconds)
        reader.received = len(data)
        return bool(data)

    def _first_bytes(self, reader: ConnectionReader) -> bytes:
        since = time.monotonic()
        while time.monotonic() - since < (limit := self._idle_seconds()):
            reader.expect(min(limit, IDLE_STEP_SECONDS))
            with contextlib.suppress(TimeoutError):
                return reader.recv(READ_BYTES)
        reader.is_done = True
        return b""

    def _idle_seconds(self) -> float:
        return float(self.cfg.keepalive) if self.alive else PARTING_SECONDS


class ConnectionReader:
    """What gunicorn's parser reads a connection through: each wait has a deadline.

    Nothing can be received before the first ``expect``.
    """

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._sock = sock
        self._clock = clock
        self._deadline = -math.inf
        self._in_body = False
        self.received = 0
        """Bytes since the last ``expect``."""
        self.is_done = False
        """Whether nothing that the client sent is left unread."""

    def expect(self, seconds: float, *, body: bool = False) -> None:
        """Set the deadline of what comes next, a head or a body."""
        self._deadline = self._clock() + seconds
        self._in_body = body
        self.received = 0

    def recv(self, size: int) -> bytes:
        """Some bytes, or none at the end of the stream.

        Raises:
            TimeoutError: the deadline has passed.
            Refusal: the stream ended within a body, or the head is too large.
        """
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        data = self._sock.recv(min(size, READ_BYTES))
        self._sock.settimeout(SEND_SECONDS)
        self.received += len(data)
        self.is_done = not data
        if self.is_done and self._in_body:
            raise Refusal(400, "the request body ends early")
        if self.received > HEAD_BYTES and not self._in_body:
            raise Refusal(*REFUSALS[errors.LimitRequestHeaders])
        return data


class BodyReader:
    """Reads a body through gunicorn's reader; whatever can go wrong is a :class:`Refusal`."""

    def __init__(self, body: Any, connection: ConnectionReader) -> None:
        self._body = body
        self._connection = connection
        self._returned = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end of the body.

        Raises:
            Refusal: the body is malformed, ends early or takes too long.
        """
        try:
            data: bytes = self._body.read(min(size, READ_BYTES))
        except TimeoutError:
            raise Refusal(408, "the request body did not come in time") from None
        except errors.ParseException as error:
            raise Refusal(*refusal_of(error)) from None
        self._returned += len(data)
        # A chunk of one byte costs as much work as one of a thousand.
        if self._connection.received > 2 * self._returned + SLACK_BYTES:
            raise Refusal(400, "the chunks of the body are too small")
        return data


def refusal_of(error: Exception) -> tuple[int, str]:
    """The status and message for an error; 500 and no message for a bug."""
    if isinstance(error, Refusal):
        return error.code, error.message
    kinds = (kind for kind in type(error).__mro__ if kind in REFUSALS)
    return REFUSALS[kind] if (kind := next(kinds, None)) else (500, "")


def refusal(status: int, message: str) -> bytes:
    """A whole HTTP response in the envelope; without a message it is a bug's."""
    text = failure(status, message) if message else failure(SiteswapError.code, SiteswapError.words)
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def _next_request(parser: Parser, reader: ConnectionReader) -> Request | None:
    try:
        return next(parser, None)
    except TimeoutError:
        if not reader.received:
            return None
        raise Refusal(408, "the request head did not come in time") from None


def _skip_body(parser: Parser, reader: ConnectionReader) -> bool:
    reader.expect(PARTING_SECONDS, body=True)
    try:
        return bool(parser.finish_body(max_bytes=SLACK_BYTES))
    except Refusal:
        return False


def _close_gently(client: socket.socket) -> None:
    """Close the sending half, then read what still comes, for a while.

    To close a connection while bytes of the client are unread resets it, and the client may lose
    the answer that it was sent.
    """
    until = time.monotonic() + PARTING_SECONDS
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while (left := until - time.monotonic()) > 0:
            client.settimeout(left)
            if not client.recv(READ_BYTES):
                return
            gevent.sleep(0)


def _host(addr: Any) -> str:
    return addr[0] if isinstance(addr, tuple) else "a unix socket"
