"""A fast HTTP server for the flows of the benchmarks: ``python -m tests.bench.downstream PORT``.

It answers each path with ready bytes and keeps connections alive. It reads of a request only what
it must: the path, and how long the body is.
"""

from __future__ import annotations

import asyncio
import re
import sys

SLOW_SECONDS = 1.0
SOON_SECONDS = 0.1
_BACKLOG = 2048

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def _answer(body: str) -> bytes:
    raw = body.encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    return head.encode("ascii") + raw


ANSWERS = {
    b"/example/user/login": _answer('{"userId":1,"userName":"juggle","loginFlag":true}'),
    b"/example/user/getUserById": _answer(
        '{"id":1,"name":"张三","age":18,"birthday":"2023-11-19"}'
    ),
    b"/example/order/placeOrder": _answer(
        '{"orderNo":"NO123","orderName":"送10元话费","userId":1}'
    ),
    b"/slow": _answer('{"done":true}'),
    b"/soon": _answer('{"done":true}'),
}
"""Path → the whole answer."""

DELAYS = {b"/slow": SLOW_SECONDS, b"/soon": SOON_SECONDS}
"""Path → how many seconds its answer takes."""


class Connection(asyncio.Protocol):
    """One connection; a request is answered when its last byte has come."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (size := _size(self._buffer)) and len(self._buffer) >= size:
            path = self._buffer.split(b" ", 2)[1].partition(b"?")[0]
            self._buffer = self._buffer[size:]
            self._respond(path)

    def _respond(self, path: bytes) -> None:
        if delay := DELAYS.get(path):
            loop = asyncio.get_running_loop()
            loop.call_later(delay, self._transport.write, ANSWERS[path])
        else:
            self._transport.write(ANSWERS[path])


def _size(data: bytes) -> int:
    """Bytes of the first request; 0 while its head is not complete."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return 0
    # A GET has no body here; not to look for its length keeps this server fast.
    length = None if head.startswith(b"GET ") else _LENGTH.search(head)
    return len(head) + len(end) + (int(length[1]) if length else 0)


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=_BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
