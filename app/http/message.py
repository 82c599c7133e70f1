"""The Transport contract: one HTTP exchange, bounded in time and size, with its failures named.

A transport sends exactly what it is given, once: it follows no redirect and repeats nothing. (One
thing no client can avoid: a request that meets a kept connection in the moment the server closes it
is sent again on a new one, if it is idempotent and no byte of an answer came.) Retries belong to
``engine/retry.py``, redirects and the meaning of a status to ``steps/http.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.config.tls import Tls
from app.http import form
from app.strict_json import dumps


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value. It is shared, so it is never changed."""

    value: Any

    def __bytes__(self) -> bytes:
        return dumps(self.value).encode()


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form in their order; a name may come several times."""

    pairs: list[tuple[str, str]]

    def __bytes__(self) -> bytes:
        return form.encode(self.pairs).encode()


Content = bytes | Json | Form


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``url`` is absolute, or begins with ``/`` for this very application."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Content
    timeout: float
    """Seconds the whole exchange may take: name lookup, connecting, TLS, and the last body byte."""
    max_bytes: int
    """Largest answer body accepted, counted after decompression; a value is not counted."""
    is_guarded: bool = False
    """Whether data decided who is asked: it may lead to public addresses only."""
    allows_private: bool = False
    """Whether the operator lets it lead anywhere, its redirects included: it is never guarded."""
    tls: Tls | None = None
    """Trusted authorities and client certificate, where they are not the default ones."""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer. Header names are lower case; a repeated header is joined with ``, ``.

    The body is decoded (``gzip``, ``deflate``); the headers are those that came.
    """

    status: int
    headers: Mapping[str, str]
    body: Content


class TransportError(Exception):
    """There is no usable answer. ``kind`` is a word that ``retry.on`` knows or a step error names.

    ``connection``  refused, unreachable, name not found, TLS failed, reset before the answer ended
    ``timeout``     the whole exchange did not end within ``Request.timeout``
    ``too_large``   the answer is larger than ``Request.max_bytes``
    ``response``    what came back is not HTTP, or is encoded in a way we cannot read
    ``request``     the request cannot be sent as it is (a bad URL, scheme or header)
    ``address``     the request is guarded, and would go to an address that is not public
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Transport(Protocol):
    """Sends requests; safe to call from many threads or greenlets at once."""

    def send(self, request: Request) -> Response:
        """Exchange one request for one response.

        Raises:
            TransportError: no usable answer; its text says which failure it was.
        """


_BLANK = " \t"


def joined(fields: Sequence[Sequence[str]]) -> dict[str, str]:
    """Pairs of name and value → values by lower-case name, repeated ones joined with ``, ``."""
    headers = {name.lower(): value.rstrip(_BLANK) for name, value in fields}
    if len(headers) == len(fields):
        return headers
    lists: dict[str, list[str]] = {}
    for name, value in fields:
        lists.setdefault(name.lower(), []).append(value.rstrip(_BLANK))
    return {name: ", ".join(values) for name, values in lists.items()}
