"""A request to a named service: what ``services.yaml`` adds to what the step says.

A service is looked up when it is called, so a change of the file holds from the next request on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from app.http.message import Request, Response, TransportError
from app.http.url import quoted_target
from app.language.services.service import Message
from app.runtime.scope import Run, RunScope
from app.runtime.signals import DeadlinePassed, StepError

if TYPE_CHECKING:
    from app.language.services.service import Service
import re
from collections.abc import Mapping

from app.language.url import text

Send = Callable[[Run, Request], Response]


def find(run: Run, name: str) -> Service:
    """The service as it is now.

    Raises:
        StepError: kind ``request``; there is none.
    """
    service = run.dependencies.service(name)
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
    limiter, left = run.dependencies.limiters[name], run.deadline - run.dependencies.monotonic()
    if not limiter.enter(service.concurrency, max(left, 0.0)):
        places = f"{service.concurrency} requests to `{name}` are under way"
        raise DeadlinePassed(f"waited for its turn: {places}")
    try:
        yield
    finally:
        limiter.leave()


def base_url(service: Service, scope: RunScope) -> str:
    """What comes before the path of a step.

    Raises:
        InvalidUrl: a value in it would leave its place.
    """
    return service.url.make(scope).rstrip("/")


def headers(service: Service, scope: RunScope) -> dict[str, Any]:
    """Default headers; the step's headers override them."""
    return service.headers.evaluate(scope) if service.headers else {}


def query(service: Service, scope: RunScope, address: str) -> dict[str, Any]:
    """Default parameters; the step's own, and those in its address, override them."""
    if service.query is None:
        return {}
    given: dict[str, Any] = service.query.evaluate(scope)
    if "?" not in address:
        return given
    own = {name for name, _ in parse_qsl(address.partition("?")[2], keep_blank_values=True)}
    return {name: value for name, value in given.items() if name not in own}


def sender(service: Service, send: Send) -> Send:
    """Sends one request, and those that its redirects make of it.

    The service's credentials and certificates go to its own origin only, and to none after a
    redirect has led away from there.
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
    origin, headers = request.url.removesuffix(target), request.headers
    target = _quoted(target)
    if service.auth is not None:
        now = int(run.dependencies.now().timestamp())
        message = Message(request.method, target, now, lambda: bytes(request.body))
        headers = merged_headers(headers, service.auth.headers(run.scope, message))
    return replace(request, url=origin + target, headers=headers, tls=service.tls)


def _split(url: str) -> tuple[str, str]:
    """Scheme, host and port in lower case; path and query."""
    start = url.find("/", url.find("://") + 3 if "://" in url else 0)
    return (url.lower(), "") if start < 0 else (url[:start].lower(), url[start:])


def _quoted(target: str) -> str:
    """The target in the form in which it is sent, which is the one that is signed."""
    try:
        return quoted_target(target)
    except TransportError as error:
        raise StepError(error.kind, error.message) from None


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def merged_headers(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """Both, as text: the own ones override the defaults, and ``null`` leaves one out.

    Raises:
        StepError: kind ``request``; a value holds a control character.
    """
    replaced = {name.lower() for name in own}
    kept = {name: value for name, value in defaults.items() if name.lower() not in replaced}
    given = {**kept, **own}
    return {name: _written(name, value) for name, value in given.items() if value is not None}


def _written(name: str, value: Any) -> str:
    written = text(value)
    if _CONTROL.search(written):
        raise StepError("request", f"the header {name[:80]!r} holds a control character")
    return written
