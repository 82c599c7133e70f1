"""What a client sends, received within bounds of time and size, and the reasons to refuse it.

It stands between a connection's socket and gunicorn's parser, which has a bound for neither the
time of a head or body nor the work that a body makes.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from typing import Any

from gunicorn.http import errors

from app.web.refusal import RefusalError

HEAD_BYTES = 65_536
"""Of one request head. gunicorn searches all it holds of a head again after each read."""

SEND_SECONDS = 60.0
"""For the client to take an answer."""

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


class ConnectionReader:
    """The receiving half of a connection, where every wait ends; gunicorn's parser reads from it.

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
            RefusalError: the stream ended within a body, or the head is too large.
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

    def __init__(self, reader: Any, inbound: ConnectionReader) -> None:
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
            raise RefusalError(408, "the request body did not come in time") from None
        except errors.ParseException as error:
            raise RefusalError(*refusal_of(error)) from None
        self._returned += len(data)
        # A chunk of one byte costs as much work as one of a thousand.
        if self._inbound.received > 2 * self._returned + SLACK_BYTES:
            raise RefusalError(400, "the chunks of the body are too small")
        return data


def refusal_of(error: Exception) -> tuple[int, str]:
    """The status and message for an error; 500 and no message for a bug."""
    if isinstance(error, RefusalError):
        return error.status, error.message
    kinds = (kind for kind in type(error).__mro__ if kind in REFUSALS)
    return REFUSALS[kind] if (kind := next(kinds, None)) else (500, "")
