"""No sessions: every request of this API brings all that it needs, so no cookie is looked for."""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface


class NoSessions(SessionInterface):
    """One empty session for all requests; to write to it is an error, as without a secret key."""

    def __init__(self) -> None:
        self._session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._session

    def is_null_session(self, obj: object) -> bool:
        return True
