"""The gunicorn worker: gevent, with deadlines on what a client sends and JSON for what is refused.

It replaces the conversation of gunicorn's gevent worker (``AsyncWorker.handle``). There the head
of a request and the time between two requests are one limit, a body may stall for ever, a client
that always has the next request ready is served before all others, refusals are HTML, and query
strings and raw header lines, where tokens may stand, are logged. HTTP/1.x is all this one speaks.

gunicorn's master imports this module, and with it the whole package, before anything is
monkey-patched. So no module of the package takes a name such as ``sleep`` or ``Lock`` out of its
module at import: it would keep the blocking one.
"""

from __future__ import annotations

import contextlib
import json
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

from app.web.refusal import RefusalError

HEAD_SECONDS = 10.0
"""For a whole request head, from its first byte; on a new connection, from its start."""

HEAD_BYTES = 65_536
"""Of one request head. gunicorn searches all it holds of a head again after each read."""

BODY_SECONDS = 60.0
"""For a whole request body: 1 MB at 17 KB/s."""

SEND_SECONDS = 60.0
"""For the client to take an answer."""

PARTING_SECONDS = 2.0
"""For what is left to do on a connection that is about to be closed."""

IDLE_STEP_SECONDS = 3.0
"""How often an idle connection looks whether the worker is going down."""

READ_BYTES = 16_384
"""Most that is read at once, so that the bounds here are looked at in between."""

SLACK_BYTES = 65_536
"""Most of a body that is read in vain: left unread by the application, or framing of chunks."""

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
    # A header that the application wrote, and a mistake in the server's own configuration.
    errors.InvalidResponseHeader: (500, ""),
    errors.InvalidResponseHeaderName: (500, ""),
    errors.ConfigurationProblem: (500, ""),
}
"""gunicorn's reasons to refuse a request → status and message.

The messages are ours, because gunicorn's own repeat what the client sent.
"""


class Inbound:
    """The receiving half of a connection, where every wait ends; gunicorn's parser reads from it.

    It starts out expecting a head.
    """

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._sock = sock
        self._clock = clock
        self.is_done = False
        """Whether nothing that the client sent is left unread."""
        self.expect(HEAD_SECONDS)

    def expect(self, seconds: float, *, body: bool = False) -> None:
        """Set the deadline of what comes next, a head or a body."""
        self._deadline = self._clock() + seconds
        self._in_body = body
        self.received = 0

    def recv(self, size: int) -> bytes:
        """Some bytes, or none at the end of the stream.

        Raises:
            TimeoutError: the deadline has passed.
            RefusalError: the stream ended within a body.
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
            raise RefusalError(400, "the request body ends early")
        if self.received > HEAD_BYTES and not self._in_body:
            raise RefusalError(*REFUSALS[errors.LimitRequestHeaders])
        return data


class BodyReader:
    """Reads a body through gunicorn's reader and makes one kind of error of all that can happen."""

    def __init__(self, reader: Any, inbound: Inbound) -> None:
        self._reader = reader
        self._inbound = inbound
        self._returned = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end of the body.

        Raises:
            RefusalError: the body is malformed, ends early or takes too long.
        """
        try:
            data: bytes = self._reader.read(min(size, READ_BYTES))
        except TimeoutError:
            raise RefusalError(408, f"the body did not come within {BODY_SECONDS:.0f} s") from None
        except errors.ParseException as error:
            raise RefusalError(*refusal_of(error)) from None
        self._returned += len(data)
        # A chunk of one byte costs as much work as one of a thousand.
        if self._inbound.received > 2 * self._returned + SLACK_BYTES:
            raise RefusalError(400, "the chunks of the body are too small")
        return data


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn is not typed
    """Serves each connection in a greenlet of its own."""

    _end: float | None = None

    def seconds_left(self) -> float:
        """How long this worker may still take to go down before gunicorn's master kills it."""
        end = self._end or time.monotonic() + self.cfg.graceful_timeout
        return max(0.0, end - time.monotonic())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Go down gracefully (SIGTERM)."""
        # A second less than the master waits, which counts from before the signal.
        self._end = time.monotonic() + self.cfg.graceful_timeout - 1
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Go down at once (SIGINT, SIGQUIT)."""
        self._end = time.monotonic() + PARTING_SECONDS
        super().handle_quit(sig, frame)

    def handle(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Serve one connection until one side closes it."""
        inbound = Inbound(client)
        request = None
        try:
            # Not of the listener, which may be closed by now.
            server = client.getsockname()
            for request in self._requests(inbound, addr):
                # Raises StopIteration when the connection is to be closed after this answer.
                self.handle_request(server, request, client, addr)
        except StopIteration:
            pass
        except (ConnectionError, TimeoutError, ssl.SSLError, errors.NoMoreData) as error:
            self.log.debug("A client went away: %s", type(error).__name__)
            inbound.is_done = True
        except Exception as error:  # noqa: BLE001  (gunicorn's entry point: nothing passes it)
            self.handle_error(request, client, addr, error)
        finally:
            if not inbound.is_done:
                _let_go(client)
            close(client)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn refuses, and bugs outside of the application, in the envelope.

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

    def _requests(self, inbound: Inbound, addr: Any) -> Iterator[Request]:
        parser = get_parser(self.cfg, inbound, addr)
        while (request := _next_request(parser, inbound)) is not None:
            inbound.expect(BODY_SECONDS, body=True)
            request.body.reader = BodyReader(request.body.reader, inbound)
            yield request
            # A client whose next request is here already would never wait, and starve the others.
            # A timer, because sleep(0) comes back before the other sockets are looked at.
            gevent.sleep(1e-9)
            if not _skip_body(parser, inbound) or not self._await_next(parser, inbound):
                return

    def _await_next(self, parser: Parser, inbound: Inbound) -> bool:
        data = parser.unreader.take_buffered() or self._first_bytes(inbound)
        parser.unreader.unread(data)
        inbound.expect(HEAD_SECONDS)
        inbound.received = len(data)
        return bool(data)

    def _first_bytes(self, inbound: Inbound) -> bytes:
        since = time.monotonic()
        while time.monotonic() - since < (limit := self._idle_seconds()):
            inbound.expect(min(limit, IDLE_STEP_SECONDS))
            with contextlib.suppress(TimeoutError):
                return inbound.recv(READ_BYTES)
        inbound.is_done = True
        return b""

    def _idle_seconds(self) -> float:
        return float(self.cfg.keepalive) if self.alive else PARTING_SECONDS


def refusal_of(error: Exception) -> tuple[int, str]:
    """The status and message for an error; 500 and no message for a bug."""
    if isinstance(error, RefusalError):
        return error.status, error.message
    kinds = (kind for kind in type(error).__mro__ if kind in REFUSALS)
    return REFUSALS[kind] if (kind := next(kinds, None)) else (500, "")


def refusal(status: int, message: str) -> bytes:
    """A whole HTTP answer that says why, in the envelope of ``docs/open-api.md``."""
    code, words = (status, message) if message else (1, "系统错误")
    envelope = {"success": False, "errorCode": code, "errorMsg": words, "result": None}
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def _next_request(parser: Parser, inbound: Inbound) -> Request | None:
    try:
        return next(parser, None)
    except TimeoutError:
        if not inbound.received:
            return None
        raise RefusalError(408, f"the head did not come within {HEAD_SECONDS:.0f} s") from None


def _skip_body(parser: Parser, inbound: Inbound) -> bool:
    inbound.expect(PARTING_SECONDS, body=True)
    try:
        return bool(parser.finish_body(max_bytes=SLACK_BYTES))
    except RefusalError:
        return False


def _let_go(client: socket.socket) -> None:
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
