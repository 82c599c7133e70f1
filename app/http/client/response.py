"""Content codings, undone as the bytes come and never beyond a bound."""

from __future__ import annotations

import zlib
from contextlib import suppress

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from app.http.message import Response, TransportError, joined

_GZIP = 16 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_ZLIB_METHOD = 8


class Inflater:
    """Undoes one ``Content-Encoding``: ``gzip`` (of several members too) or ``deflate``."""

    def __init__(self, coding: str) -> None:
        """Prepare for a coding.

        Raises:
            TransportError: kind ``response``; it is a coding that we cannot undo.
        """
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise TransportError("response", f"the answer is encoded as {coding[:40]!r}, not gzip")
        self._is_deflate = coding == "deflate"
        self._stream: zlib._Decompress | None = None

    def decode(self, data: bytes | bytearray, room: int) -> bytearray:
        """What ``data`` adds to the body; stops just past ``room`` bytes.

        Raises:
            TransportError: kind ``response``; the data is broken.
        """
        decoded = bytearray()
        while data and len(decoded) <= room:
            if self._stream is None or self._stream.eof:
                self._stream = zlib.decompressobj(self._window(data[0]))
            try:
                decoded += self._stream.decompress(data, room + 1 - len(decoded))
            except zlib.error:
                raise TransportError("response", "the answer's gzip data is broken") from None
            data = self._stream.unused_data
        return decoded

    def finish(self) -> None:
        """Check that the data did not end early.

        Raises:
            TransportError: kind ``response``.
        """
        if self._stream is not None and not self._stream.eof:
            raise TransportError("response", "the answer's gzip data is broken: it ends too early")

    def _window(self, first: int) -> int:
        """The format to expect: "deflate" is sent with and without its zlib wrapper.

        RFC 1950 puts the method, 8, into the low half of the wrapper's first byte; bare deflate
        data (RFC 1951) never begins so.
        """
        if not self._is_deflate:
            return _GZIP
        return zlib.MAX_WBITS if first & 0x0F == _ZLIB_METHOD else _RAW


MAX_HEAD_BYTES = 64 * 1024
"""Bytes that may come before the body begins, interim (1xx) answers included."""

MAX_HEADERS = 100

_CODING_OVERHEAD = 64 * 1024
"""By how much an encoded body may be larger than the bound on the decoded one."""

_FIRST_FINAL_STATUS = 200
_SWITCHING_PROTOCOLS = 101
_NOT_MODIFIED = 304


class ResponseParser(HTTPResponseParser):
    """The one answer to a request. Feed it with :meth:`receive` until :attr:`is_complete`."""

    def __init__(self, method: str, max_bytes: int) -> None:
        super().__init__()
        self.is_complete = False
        self.keeps_connection = False
        """Whether the connection can be used for another request."""
        self._is_head_request = method == "HEAD"
        self._max_bytes = max_bytes
        self._size = 0
        self._start = b""
        self._fields: list[list[str]] = []
        self._in_name = False
        self._in_head = True
        self._status = 0
        self._headers: dict[str, str] = {}
        self._coding = "identity"
        self._inflater: Inflater | None = None
        self._encoded_size = 0
        self._max_encoded = max_bytes
        self._body = bytearray()

    @property
    def has_begun(self) -> bool:
        """Whether a single byte has come."""
        return self._size > 0

    @property
    def progress(self) -> str:
        """How far the answer has come, to end a sentence with."""
        if not self._size:
            return "before an answer came"
        if self._in_head:
            return f"within the answer's headers, after {self._size} bytes"
        length = self._headers.get("content-length")
        total = f" of {length}" if length else ""
        return f"within the answer's body, after {self._encoded_size}{total} bytes"

    def receive(self, data: bytes) -> None:
        """Take what came next; no bytes mean that the peer closed the connection.

        Raises:
            TransportError: kind ``response``, ``too_large`` or (closed too early) ``connection``.
        """
        if not data:
            return self._end()
        if not self._size:
            self._start = data[:40]
        self._size += len(data)
        try:
            self.feed(data)
        except HTTPParseError as error:
            self._judge(error)
        if self._in_head and self._size > MAX_HEAD_BYTES:
            raise TransportError("response", f"the headers are larger than {MAX_HEAD_BYTES} bytes")
        return None

    def response(self) -> Response:
        """The answer, once it is complete. Its headers are the ones that came."""
        return Response(self._status, self._headers, bytes(self._body))

    def _end(self) -> None:
        """Closing is how an answer without a length ends; any other is cut off."""
        with suppress(HTTPParseError):
            self.feed(b"")
        if not self.is_complete:
            raise TransportError("connection", f"the connection was closed {self.progress}")

    def _judge(self, error: HTTPParseError) -> None:
        """Bytes that are not HTTP. After a complete answer they only prevent the reuse."""
        if self.is_complete:
            self.keeps_connection = False
        elif self._status or self._fields:
            raise TransportError("response", f"the answer is broken HTTP: {error.args[0]}")
        else:
            text = f"the answer is not HTTP: it begins {self._start.decode('latin-1')!r}"
            raise TransportError("response", text)

    # The parser calls what follows. Names and values may come in pieces.

    def _on_message_begin(self) -> None:
        if self.is_complete:
            raise HTTPParseError("there is more than one answer")

    def _on_status(self, text: str) -> None:
        pass

    def _on_header_field(self, text: str) -> None:
        if self._in_name:
            self._fields[-1][0] += text
        elif self._in_head:
            self._fields.append([text, ""])
            self._in_name = True

    def _on_header_value(self, text: str) -> None:
        if self._in_head:
            self._fields[-1][1] += text
            self._in_name = False

    def _on_headers_complete(self) -> bool:
        """Returns whether there is no body, whatever the headers say."""
        self._status = self.get_code()
        if self._status == _SWITCHING_PROTOCOLS:
            raise TransportError("response", "the answer switches to another protocol (101)")
        if self._status >= _FIRST_FINAL_STATUS:
            self._take_head()
        self._fields.clear()
        return self._is_head_request

    def _take_head(self) -> None:
        self._in_head = False
        if len(self._fields) > MAX_HEADERS:
            raise TransportError("response", f"there are more than {MAX_HEADERS} headers")
        self._headers = headers = joined(self._fields)
        self._coding = headers.get("content-encoding", "identity").lower()
        if self._coding != "identity":
            self._max_encoded += _CODING_OVERHEAD
        if int(headers.get("content-length", 0)) > self._max_encoded and not self._is_bodyless:
            raise self._too_large()

    def _on_body(self, data: bytes | bytearray) -> None:
        self._encoded_size += len(data)
        if self._coding != "identity":
            data = self._decode(data)
        self._body += data
        if len(self._body) > self._max_bytes or self._encoded_size > self._max_encoded:
            raise self._too_large()

    def _decode(self, data: bytes | bytearray) -> bytes | bytearray:
        if self._inflater is None:
            self._inflater = Inflater(self._coding)
        return self._inflater.decode(data, self._max_bytes - len(self._body))

    def _on_message_complete(self) -> None:
        if self._in_head:
            return  # That was an interim answer: the final one follows.
        if self._inflater is not None:
            self._inflater.finish()
        self.is_complete = True
        self.keeps_connection = self.should_keep_alive()

    @property
    def _is_bodyless(self) -> bool:
        return self._is_head_request or self._status == _NOT_MODIFIED

    def _too_large(self) -> TransportError:
        return TransportError("too_large", f"the answer is larger than {self._max_bytes} bytes")
