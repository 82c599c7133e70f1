"""Requests with what a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.http.message import Request, Transport, TransportError


def request(
    url: str,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,
    max_bytes: int = 1_000_000,
    *,
    is_guarded: bool = False,
) -> Request:
    """A GET, unless said otherwise."""
    return Request(method, url, headers or {}, body, timeout, max_bytes, is_guarded=is_guarded)


def failure(transport: Transport, of: Request) -> TransportError:
    """The error that a request ends with."""
    with pytest.raises(TransportError) as caught:
        transport.send(of)
    return caught.value
