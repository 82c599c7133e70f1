"""Who is calling: the token of a request, and nobody else's business."""

from __future__ import annotations

from collections.abc import Callable

from flask import Request

from app.config.tokens import Caller, TokenRegistry
from app.errors import TokenRejected
from app.web.request import RequestReader

HEADER = "Juggle-Token"

Authenticate = Callable[[Request, RequestReader], Caller]


def authenticator(registry: TokenRegistry, clock: Callable[[], float]) -> Authenticate:
    """The function that finds the caller of a request, or raises :class:`TokenRejected`."""

    def authenticate(request: Request, inbound: RequestReader) -> Caller:
        token = request.headers.get(HEADER) or inbound.token()
        caller = registry.authenticate(token, clock()) if token else None
        if caller is None:
            raise TokenRejected
        return caller

    return authenticate
