"""The Flask application before it has routes: no sessions, and every error in the envelope."""

from __future__ import annotations

import logging

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import HTTPException

from app.errors import FlowFailed, SiteswapError, TokenRejected
from app.runs.execution import BUG
from app.web.envelope import STATUSES, EnvelopeResponse, respond_error, respond_refused


class NoSessions(SessionInterface):
    """One empty session for all requests: they bring all they need, so no cookie is looked for.

    To write to it is an error.
    """

    def __init__(self) -> None:
        self._session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._session

    def is_null_session(self, obj: object) -> bool:
        return True


def new_application(log: logging.Logger, *, max_body_bytes: int, always_200: bool) -> Flask:
    """The application; with ``always_200`` only a bad token is answered with another status."""
    app = Flask("siteswap", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.url_map.merge_slashes = False
    app.session_interface = NoSessions()
    app.response_class = EnvelopeResponse

    def bug(error: Exception) -> Response:
        log.error("a bug met a request", exc_info=error)
        return respond_error(FlowFailed(BUG))

    app.register_error_handler(SiteswapError, respond_error)
    app.register_error_handler(HTTPException, respond_refused)
    app.register_error_handler(Exception, bug)
    if always_200:
        app.after_request(_as_the_original)
    return app


def _as_the_original(response: Response) -> Response:
    if response.status_code != STATUSES[TokenRejected]:
        response.status_code = 200
    return response
