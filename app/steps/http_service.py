"""A request to a named service: what ``services.yaml`` adds to what the step says.

A service is looked up when it is called, so a change of the file holds from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

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


def find(run: Run, name: str) -> Service:
    """The service as it is now.

    Raises:
        StepError: kind ``request``; there is none.
    """
    service = run.tools.service(name)
    if service is None:
        message = f"there is no service `{name}`; `flask flow lint` says what services.yaml lacks"
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
    own = {name for name, _ in parse_qsl(address.partition("?")[2], keep_blank_values=True)}
    given: dict[str, Any] = service.query.evaluate(scope)
    return {name: value for name, value in given.items() if name not in own}


def sender(service: Service, send: Send) -> Send:
    """Sends one request, and those that its redirects make of it.

    The service's credentials and certificates go to its own origin, and to nobody after a redirect
    has led away from there once.
    """
    origin: tuple[str, str] | None = None
    is_there = True

    def send_one(run: Run, request: Request) -> Response:
        nonlocal origin, is_there
        origin = origin or _origin(request)
        is_there = is_there and _origin(request) == origin
        return send(run, _authorized(run, service, request) if is_there else request)

    return send_one


def _origin(request: Request) -> tuple[str, str]:
    parts = urlsplit(request.url)
    return parts.scheme, parts.netloc.lower()


def _authorized(run: Run, service: Service, request: Request) -> Request:
    """The request as it is sent: with credentials, which go over headers of the same name."""
    start, target = _split(request.url)
    request = replace(request, url=start + target, tls=service.tls)
    if service.auth is None:
        return request
    now = int(run.tools.now().timestamp())
    message = Message(request.method, target, now, bytes(request.body))
    shown = service.auth.headers(run.scope, message)
    return replace(request, headers=http_headers.over(request.headers, shown))


def _split(url: str) -> tuple[str, str]:
    """The origin, and the target in the form in which it goes over the wire."""
    start = url.find("/", url.find("://") + 3 if "://" in url else 0)
    if start < 0:
        return url, "/"
    try:
        return url[:start], quote(url[start:], safe=_KEPT_CHARACTERS)
    except UnicodeEncodeError:
        message = "the url cannot be used: it holds half a character (a lone surrogate)"
        raise StepError("request", message) from None
