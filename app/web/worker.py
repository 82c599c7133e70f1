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
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from http import HTTPStatus
from types import FrameType
from typing import Any

import gevent
from gunicorn.http import errors, get_parser
from gunicorn.http.message import Request
from gunicorn.http.parser import Parser
from gunicorn.util import close
from gunicorn.workers.ggevent import GeventWorker

from app.web.receiving import READ_BYTES, SLACK_BYTES, BodyReader, ConnectionReader, refusal_of
from app.web.refusal import RefusalError

PARTING_SECONDS = 2.0
"""For what is left to do on a connection that is about to be closed."""

IDLE_STEP_SECONDS = 3.0
"""How often an idle connection looks whether the worker is going down."""


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn is not typed
    """Serves each connection in a greenlet of its own."""

    head_seconds = 10.0
    """For a whole request head, from its first byte; on a new connection, from its start."""

    body_seconds = 60.0
    """For a whole request body: 1 MB at 17 KB/s."""

    _end: float | None = None

    def seconds_left(self) -> float:
        """How long this worker may still take to go down before gunicorn's master kills it."""
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
        """Go down gracefully (SIGTERM)."""
        # A second less than the master waits, which counts from before the signal.
        self._end = time.monotonic() + self.cfg.graceful_timeout - 1
        super().handle_exit(sig, frame)

    def notify(self) -> None:
        """Tell the master that the event loop turns; without a master, go down gracefully."""
        # gunicorn's own would end the process here, in the middle of the requests under way.
        super(GeventWorker, self).notify()
        if self.alive and self.ppid != os.getppid():
            self.log.info("The master is gone: shutting down")
            self.handle_exit(signal.SIGTERM, None)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Go down at once (SIGINT, SIGQUIT)."""
        self._end = time.monotonic() + PARTING_SECONDS
        super().handle_quit(sig, frame)

    def handle(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Serve one connection until one side closes it."""
        inbound = ConnectionReader(client)
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

    def _requests(self, inbound: ConnectionReader, addr: Any) -> Iterator[Request]:
        parser = get_parser(self.cfg, inbound, addr)
        inbound.expect(self.head_seconds)
        while (request := _next_request(parser, inbound)) is not None:
            inbound.expect(self.body_seconds, body=True)
            request.body.reader = BodyReader(request.body.reader, inbound)
            yield request
            # A client whose next request is here already would never wait, and starve the others.
            # A timer, because sleep(0) comes back before the other sockets are looked at.
            gevent.sleep(1e-9)
            if not _skip_body(parser, inbound) or not self._await_next(parser, inbound):
                return

    def _await_next(self, parser: Parser, inbound: ConnectionReader) -> bool:
        data = parser.unreader.take_buffered() or self._first_bytes(inbound)
        parser.unreader.unread(data)
        inbound.expect(self.head_seconds)
        inbound.received = len(data)
        return bool(data)

    def _first_bytes(self, inbound: ConnectionReader) -> bytes:
        since = time.monotonic()
        while time.monotonic() - since < (limit := self._idle_seconds()):
            inbound.expect(min(limit, IDLE_STEP_SECONDS))
            with contextlib.suppress(TimeoutError):
                return inbound.recv(READ_BYTES)
        inbound.is_done = True
        return b""

    def _idle_seconds(self) -> float:
        return float(self.cfg.keepalive) if self.alive else PARTING_SECONDS


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


def _next_request(parser: Parser, inbound: ConnectionReader) -> Request | None:
    try:
        return next(parser, None)
    except TimeoutError:
        if not inbound.received:
            return None
        raise RefusalError(408, "the request head did not come in time") from None


def _skip_body(parser: Parser, inbound: ConnectionReader) -> bool:
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
