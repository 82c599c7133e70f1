"""From an error's class to an HTTP status, and into the envelope. Nothing else answers errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from app.errors import (
    Busy,
    FlowDisabled,
    FlowFailed,
    FlowNotFound,
    FlowTimeout,
    InputsInvalid,
    RunNotFound,
    SiteswapError,
    TokenRejected,
)
from app.runs.execution import BUG
from app.web import envelope
from app.web.refusal import RefusalError

STATUSES: Mapping[type[SiteswapError], int] = {
    InputsInvalid: 400,
    TokenRejected: 401,
    FlowDisabled: 403,
    FlowNotFound: 404,
    RunNotFound: 404,
    FlowFailed: 500,
    Busy: 503,
    FlowTimeout: 504,
}
"""The error table of ``docs/open-api.md``; a class that is not here answers 500."""

CONTENT_TYPE = "application/json; charset=utf-8"


class ErrorResponse(Response):
    """What this application answers; ``OPTIONS``, which Flask answers, is no HTML even in name."""

    default_mimetype = "application/json"


def respond(text: str, status: int = 200) -> ErrorResponse:
    """An envelope as a response."""
    return ErrorResponse(text.encode(), status, content_type=CONTENT_TYPE)


def answer(error: SiteswapError, text: str | None = None) -> Response:
    """An expected failure; ``text`` is its envelope where that says more than the error."""
    status = STATUSES.get(type(error), 500)
    response = respond(text or envelope.failure(error.code, error.public), status)
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


class Refusal(HTTPException):
    """A request that is not about a flow and is not served: its status is its error code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.code = status


def install(app: Flask, log: logging.Logger, *, always_200: bool) -> None:
    """Let every error of the application end in the envelope."""

    def bug(error: Exception) -> Response:
        log.error("a bug met a request", exc_info=error)
        return answer(FlowFailed(BUG))

    app.response_class = ErrorResponse
    app.register_error_handler(SiteswapError, answer)
    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(RefusalError, _unread)
    app.register_error_handler(Exception, bug)
    if always_200:
        app.after_request(_as_the_original)


def refused(error: HTTPException) -> Response:
    """A request that Flask, werkzeug or we refuse before it is about a flow."""
    status = error.code or 500
    response = respond(envelope.failure(status, _sentence(error)), status)
    if allow := dict(error.get_headers()).get("Allow"):
        response.headers["Allow"] = allow
    return response


def _unread(error: RefusalError) -> Response:
    return refused(Refusal(error.status, error.message))


def _sentence(error: HTTPException) -> str:
    if isinstance(error, Refusal):
        return str(error.description)
    words = {404: "there is nothing at this path", 405: "this path does not take this method"}
    return words.get(error.code or 500, error.name)


def _as_the_original(response: Response) -> Response:
    """200 to everything but a bad token."""
    if response.status_code != STATUSES[TokenRejected]:
        response.status_code = 200
    return response
