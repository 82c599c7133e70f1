"""A request to a named service: what ``services.yaml`` adds to what the step says.

A service is looked up when it is called, so a change of the file holds from the next request on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from app.engine.control import DeadlinePassed, StepError
from app.engine.scope import Run, Scope
from app.spec.auth import Message
from app.steps import http_headers
from app.transport import Request, Response

if TYPE_CHECKING:
    from app.spec.service import Service

Send = Callable[[Run, Request], Response]

_KEPT_CHARACTERS = "!$%&'()*+,/:;=?@~"
"""Of a path and its query; any other is percent-encoded before it is signed and sent."""
_PLAIN = re.compile(r"/[A-Za-z0-9\-._!$%&'()*+,/:;=?@~]*")


def find(run: Run, name: str) -> Service:
    """The service as it is now.

    Raises:
        StepError: kind ``request``; there is none.
    """
    service = run.tools.service(name)
    if service is None:
        message = f"there is no service `{name}`; `siteswap lint` says what services.yaml lacks"
        raise StepError("request", message)
    return service


@contextmanager
def place(run: Run, name: str, service: Service) -> Iterator[None]:
    """One of the places for requests that are under way, once it is free.

    Raises:
        DeadlinePassed: none was free in time.
    """
    if service.concurrency is None:
        yield
        return
    gate, left = run.tools.gates[name], run.deadline - run.tools.monotonic()
    if not gate.enter(service.concurrency, max(left, 0.0)):
        places = f"{service.concurrency} requests to `{name}` are under way"
        raise DeadlinePassed(f"waited for its turn: {places}")
    try:
        yield
    finally:
        gate.leave()


def base_url(service: Service, scope: Scope) -> str:
    """What stands before the path of a step.

    Raises:
        StepError: kind ``request``; a value in it would leave its place.
    """
    return service.url.make(scope).rstrip("/")


def headers(service: Service, scope: Scope) -> dict[str, Any]:
    """Headers that a step's own go over."""
    return service.headers.evaluate(scope) if service.headers else {}


def query(service: Service, scope: Scope, address: str) -> dict[str, Any]:
    """Parameters that a step's own go over; those that its address has are not among them."""
    if service.query is None:
        return {}
    given: dict[str, Any] = service.query.evaluate(scope)
    if "?" not in address:
        return given
    own = {name for name, _ in parse_qsl(address.partition("?")[2], keep_blank_values=True)}
    return {name: value for name, value in given.items() if name not in own}


def sender(service: Service, send: Send) -> Send:
    """Sends one request, and those that its redirects make of it.

    The service's credentials and certificates go to its own origin, and to nobody after a redirect
    has led away from there once.
    """
    home: str | None = None
    is_home = True

    def send_one(run: Run, request: Request) -> Response:
        nonlocal home, is_home
        origin, target = _split(request.url)
        home = origin if home is None else home
        is_home = is_home and origin == home
        if is_home:
            request = _authorized(run, service, request, target)
        return send(run, request)

    return send_one


def _authorized(run: Run, service: Service, request: Request, target: str) -> Request:
    """The request as it is sent: with credentials, which go over headers of the same name."""
    url, headers = request.url, request.headers
    if not _PLAIN.fullmatch(target):
        origin, target = url.removesuffix(target), _quoted(target)
        url = origin + target
    if service.auth is not None:
        now = int(run.tools.now().timestamp())
        message = Message(request.method, target, now, lambda: bytes(request.body))
        headers = http_headers.over(headers, service.auth.headers(run.scope, message))
    return replace(request, url=url, headers=headers, tls=service.tls)


def _split(url: str) -> tuple[str, str]:
    """Scheme, host and port in lower case; path and query."""
    start = url.find("/", url.find("://") + 3 if "://" in url else 0)
    return (url.lower(), "") if start < 0 else (url[:start].lower(), url[start:])


def _quoted(target: str) -> str:
    """The target in the form in which it goes over the wire."""
    try:
        return quote(target or "/", safe=_KEPT_CHARACTERS)
    except UnicodeEncodeError:
        message = "the url cannot be used: it holds half a character (a lone surrogate)"
        raise StepError("request", message) from None
