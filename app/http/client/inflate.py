"""Content codings, undone as the bytes come and never beyond a bound."""

from __future__ import annotations

import zlib

from app.http.message import TransportError

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
