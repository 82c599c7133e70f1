"""What the ``http`` verb makes of an answer: redirects, statuses, bodies."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from app.http.message import Content, Json, Request, Response
from app.runtime.scope import Run
from app.runtime.signals import StepError
from app.strict_json import JsonError, loads

MAX_REDIRECTS = 5
MAX_EXCERPT = 1000
"""Bytes of a downstream's answer that an error may quote."""
_MASKED_BYTES = 20_000
"""Bytes in which secrets are masked before they are cut, so that none is cut in two."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_USER_INFORMATION = re.compile(r"(?<=:)//[^/]*@")
_ANONYMOUS_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers that may follow a redirect to another origin; any other could be a credential."""


def name(request: Request) -> str:
    """How messages call a request: no query and no user information, which may hold secrets."""
    return f"{request.method} {_USER_INFORMATION.sub('//', request.url.partition('?')[0])}"


def read(
    run: Run, request: Request, response: Response, expect: frozenset[int], *, needs_json: bool
) -> dict[str, Any]:
    """The step's result.

    Raises:
        StepError: ``status`` for one that is not expected, ``redirect`` for one that was not to be
            followed, ``response`` for a body that is not what it says or not what the flow reads.
    """
    status = response.status
    if status not in expect:
        raise _unexpected(run, request, response, expect)
    body = _body(run, request, response, needs_json=needs_json and 200 <= status < 300)
    return {"status": status, "headers": response.headers, "body": body}


def _body(run: Run, request: Request, response: Response, *, needs_json: bool) -> Any:
    if isinstance(response.body, Json):
        return response.body.value
    raw = bytes(response.body)
    if not raw:
        return None
    media_type = response.headers.get("content-type", "")
    if media_type == "application/json" or _is_json(media_type):
        try:
            return loads(raw)
        except JsonError as error:
            message = f"answered {media_type[:80]}, but its body is not JSON: {error}"
            raise _unusable(run, request, response, message) from None
    if needs_json:
        kind = "HTML" if "html" in media_type else media_type[:80] or "a body without Content-Type"
        message = f"answered {kind} where the flow reads fields of JSON"
        raise _unusable(run, request, response, message)
    return _text(raw, media_type)


def _unusable(run: Run, request: Request, response: Response, message: str) -> StepError:
    text = f"{name(request)} {message}; {excerpt(run, response.body)}"
    return StepError("response", text, response=response)


def _is_json(media_type: str) -> bool:
    essence = media_type.partition(";")[0].strip().lower()
    return essence in ("application/json", "text/json") or essence.endswith("+json")


def _text(raw: bytes, media_type: str) -> str:
    header = Message()
    header["content-type"] = media_type
    charset = header.get_content_charset("utf-8")
    try:
        return raw.decode(charset, "replace")
    except (LookupError, UnicodeError):
        return raw.decode("utf-8", "replace")


def excerpt(run: Run, body: Content) -> str:
    """The beginning of an answer, in quotes, for a message; secrets are masked."""
    text = run.mask(bytes(body)[:_MASKED_BYTES].decode("utf-8", "replace")).strip()
    if not text:
        return "its body is empty"
    return f'it begins "{text.encode()[:MAX_EXCERPT].decode("utf-8", "ignore")}"'


def _unexpected(
    run: Run, request: Request, response: Response, expect: frozenset[int]
) -> StepError:
    status = response.status
    location = response.headers.get("location")
    if status in _REDIRECTS and location:
        target = _target(request, location).partition("?")[0][:MAX_EXCERPT]
        message = f"redirects ({status}) to {target}; to follow it, write `follow_redirects: true`"
        return StepError("redirect", f"{name(request)} {message}", response=response)
    message = f"answered {status}{_phrase(status)}, expected {_expected(expect)}"
    return StepError(
        "status",
        f"{name(request)} {message}; {excerpt(run, response.body)}",
        response=response,
        retry_after=_retry_after(response, run.dependencies.now),
    )


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _expected(expect: frozenset[int]) -> str:
    words: list[str] = []
    for hundred in range(1, 6):
        group = range(hundred * 100, hundred * 100 + 100)
        found = sorted(expect.intersection(group))
        words += [f"{hundred}xx"] if len(found) == len(group) else map(str, found)
    return " or ".join(words)


def _retry_after(response: Response, now: Callable[[], datetime]) -> float | None:
    """Seconds to wait, from a number of seconds or an HTTP date (RFC 9110 section 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now()).total_seconds())


def follow(
    run: Run,
    request: Request,
    response: Response,
    send: Callable[[Run, Request], Response],
) -> tuple[Request, Response]:
    """Follow redirects; credentials never cross to another origin.

    Raises:
        StepError: too many redirects, or one that would carry the body to another origin.
    """
    for _ in range(MAX_REDIRECTS):
        location = response.headers.get("location")
        if response.status not in _REDIRECTS or not location:
            return request, response
        request = _redirected(run, request, response.status, _target(request, location))
        response = send(run, request)
    raise StepError("redirect", f"{name(request)}: more than {MAX_REDIRECTS} redirects")


def _target(request: Request, location: str) -> str:
    try:
        return urljoin(request.url, location)
    except ValueError:
        raise StepError("redirect", f"{name(request)} redirects to what is no URL") from None


def _redirected(run: Run, request: Request, status: int, url: str) -> Request:
    """The next request, by the rules of the Fetch standard for method and body.

    Another origin is one that the answer chose: the request is guarded from there on.
    """
    if not url.startswith(("http://", "https://", "/")) or url.startswith("//"):
        raise StepError("redirect", f"{name(request)} redirects to {url[:200]}, which is not HTTP")
    becomes_get = (status == 303 and request.method != "HEAD") or (
        status in (301, 302) and request.method == "POST"
    )
    same_origin = _origin(url) == _origin(request.url)
    if request.body and not becomes_get and not same_origin:
        message = f"redirects ({status}) to another host, which the body is not sent to"
        raise StepError("redirect", f"{name(request)} {message}")
    headers = {
        header: value
        for header, value in request.headers.items()
        if (same_origin or header.lower() in _ANONYMOUS_HEADERS)
        and not (becomes_get and header.lower() == "content-type")
    }
    return replace(
        request,
        method="GET" if becomes_get else request.method,
        url=url.partition("#")[0],
        headers=headers,
        body=b"" if becomes_get else request.body,
        timeout=run.deadline - run.dependencies.monotonic(),
        is_guarded=not request.allows_private and (request.is_guarded or not same_origin),
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    place = parts.netloc.lower()
    return parts.scheme, place.removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))
