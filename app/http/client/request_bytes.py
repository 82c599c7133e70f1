"""A request as the bytes that go over the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.http.message import Request, TransportError
from app.http.url import Origin

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
