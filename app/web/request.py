"""From an HTTP request to raw inputs: query, then body over it, read once and within bounds.

werkzeug parses only multipart forms here: of other bodies it keeps the last of repeated JSON keys,
takes ``NaN``, sets no bound on the number of form fields, and loses the raw bytes.
"""

from __future__ import annotations

from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.utils import cached_property

from app.errors import InputIssue, InputsInvalid
from app.http import form
from app.strict_json import JsonError, dumps, loads
from app.web.envelope import Refusal

TOKEN = "juggleToken"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_CREDENTIALS = frozenset({"juggle-token", "authorization", "proxy-authorization", "cookie"})

Fields = dict[str, Any]
"""Parameter → its text, or the list of its texts where it was sent several times."""


class RequestReader:
    """What a request carries. Every part is read when first asked for."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def token(self) -> str | None:
        """The token parameter: in the query string, or a field of a POSTed form."""
        if token := _first(self.query.get(TOKEN)):
            return token
        if self._request.method == "POST" and self._media_type in (FORM, MULTIPART):
            return _first(self._form.get(TOKEN))
        return None

    @cached_property
    def query(self) -> Fields:
        """The query string."""
        return _fields(self._request.query_string, "the query string")

    def given(self) -> Fields:
        """The raw inputs: the query string, and the body over it.

        Raises:
            InputsInvalid: the query string or the body cannot be read.
        """
        body = self.body
        if isinstance(body, dict):
            wrapped = body.get("flowData", body) if self._is_json else body
            if not isinstance(wrapped, dict):
                raise _malformed("flowData is not a JSON object")
            return {**self.query, **wrapped}
        return self.query

    def view(self) -> dict[str, Any]:
        """What a flow reads as ``request``, credentials removed."""
        request = self._request
        return {
            "method": request.method,
            "headers": {
                name.lower(): value
                for name, value in request.headers.items()
                if name.lower() not in _CREDENTIALS
            },
            "query": _without_token(self.query),
            "body": _without_token(self.body),
            "raw": self._raw_without_token(),
        }

    @cached_property
    def body(self) -> Any:
        """The body as a value: parsed JSON, the fields of a form, or ``None``."""
        if self._request.method != "POST":
            return None
        if self._media_type in (FORM, MULTIPART) and not self._is_json:
            return self._form
        return self._json if self._is_json else None

    @property
    def _media_type(self) -> str:
        return self._request.mimetype

    @cached_property
    def _is_json(self) -> bool:
        """JSON by its type; or by its first character where the type is a client's default."""
        media_type = self._media_type
        if media_type == "application/json" or media_type.endswith("+json"):
            return bool(self._raw)
        guessed = media_type in ("", "text/plain", FORM)
        return guessed and self._raw.lstrip()[:1] in (b"{", b"[")

    @cached_property
    def _json(self) -> Any:
        try:
            return loads(self._raw)
        except JsonError as error:
            raise _malformed(f"the body is not JSON: {error}") from None

    @cached_property
    def _form(self) -> Fields:
        if self._media_type == MULTIPART:
            self._raw  # noqa: B018 - reads within bounds and keeps, before werkzeug parses
            form = self._request.form
            return {name: _one_or_all(form.getlist(name)) for name in form}
        return {} if self._is_json else _fields(self._raw, "the form")

    @cached_property
    def _raw(self) -> bytes:
        coding = self._request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise Refusal(
                415, f"a body with Content-Encoding {coding[:40]} is not read; send it plain"
            )
        try:
            return self._read()
        except Refusal as error:
            if error.code == 400:
                raise _malformed(error.message) from None
            raise
        except RequestEntityTooLarge:
            limit = self._request.max_content_length
            raise Refusal(413, f"the body is larger than {limit} bytes") from None

    def _read(self) -> bytes:
        request = self._request
        data = request.get_data(cache=True)
        # werkzeug cuts a chunked body off at the limit, without a word.
        if len(data) == request.max_content_length and request.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
        return data

    def _raw_without_token(self) -> str | None:
        """The body as text, for signatures; ``None`` where it is not UTF-8."""
        if isinstance(self.body, dict) and TOKEN in self.body:
            rest = _without_token(self.body)
            return dumps(rest) if self._is_json else form.encode(_pairs(rest))
        try:
            return self._raw.decode()
        except UnicodeDecodeError:
            return None


def _fields(text: bytes, what: str) -> Fields:
    if not text:
        return {}
    try:
        pairs = form.parse(text)
    except form.FormError as error:
        raise _malformed(f"{what} {error}") from None
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    several: dict[str, list[str]] = {}
    for name, value in pairs:
        several.setdefault(name, []).append(value)
    return {name: _one_or_all(values) for name, values in several.items()}


def _pairs(fields: Fields) -> list[tuple[str, str]]:
    return [
        (name, text)
        for name, value in fields.items()
        for text in (value if isinstance(value, list) else [value])
    ]


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _first(value: Any) -> str | None:
    """The one text of a parameter; a token that was sent several times is no token."""
    return value if isinstance(value, str) else None


def _without_token(value: Any) -> Any:
    if isinstance(value, dict) and TOKEN in value:
        return {name: item for name, item in value.items() if name != TOKEN}
    return value


def _malformed(message: str) -> InputsInvalid:
    return InputsInvalid([InputIssue("", message)])
