"""The answers: an envelope of exactly four keys, always JSON, and the HTTP status of each error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
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
from app.runs.runner import TriggerResult
from app.strict_json import dumps

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
"""The error table of ``docs/open-api.md``; a class that is not here is answered with 500."""

_REFUSALS = {404: "there is nothing at this path", 405: "this path does not take this method"}


class Refusal(HTTPException):
    """A request that is refused before it is about a flow; its status is also its error code.

    Its message holds nothing that the client sent. It is no ``OSError`` or ``ValueError``: werkzeug
    would make a 400 without a reason of these.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.code: int = status
        self.message = message


class EnvelopeResponse(Response):
    """A response in JSON, even to ``OPTIONS``, which Flask answers without a body."""

    default_mimetype = "application/json"


def success(result: str) -> str:
    """A result, given as JSON text."""
    return f'{{"success":true,"errorCode":0,"errorMsg":null,"result":{result}}}'


def failure(code: int, message: str, result: Any = None) -> str:
    """A failure. ``message`` is read by the caller: no secret, no traceback."""
    # A message may quote what was sent, and that may hold half a character.
    text = message.encode("utf-8", "replace").decode()
    return dumps({"success": False, "errorCode": code, "errorMsg": text, "result": result})


def triggered(answer: TriggerResult) -> str:
    """The answer to a trigger; a run that failed still names its instance."""
    result = {"flowInstanceId": answer.run_id, "status": answer.status, "data": answer.data}
    if answer.error is not None:
        return failure(answer.error.code, answer.error.public, result)
    return success(dumps(result))


def respond(text: str, status: int = 200) -> Response:
    """An envelope as a response."""
    return EnvelopeResponse(text.encode(), status, content_type="application/json; charset=utf-8")


def respond_error(error: SiteswapError, text: str | None = None) -> Response:
    """An expected failure; ``text`` is its envelope where that says more than the error."""
    response = respond(text or failure(error.code, error.public), STATUSES.get(type(error), 500))
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def respond_refused(error: HTTPException) -> Response:
    """A request that Flask, werkzeug or we refuse before it is about a flow."""
    status = error.code or 500
    message = error.message if isinstance(error, Refusal) else _REFUSALS.get(status, error.name)
    response = respond(failure(status, message), status)
    if allow := dict(error.get_headers()).get("Allow"):
        response.headers["Allow"] = allow
    return response
