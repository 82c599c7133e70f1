"""``http: METHOD url`` sends one request and reads one answer.

The result is ``{status, headers, body}``: header names in lower case, a JSON body parsed, any other
body as text, an empty one ``null``. A url that begins with ``/`` is served by this application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from marshmallow import ValidationError, validates_schema

from app.expression import Compiled
from app.http import form
from app.http.message import Content, Form, Json, Request, Response, TransportError
from app.language.blocks import StepSchema
from app.language.fields import (
    Boolean,
    Collection,
    JsonSchema,
    ObjectTemplate,
    Template,
    describe,
    validation_error,
)
from app.language.retry import RetryPolicy
from app.language.step import Path, Use
from app.language.url import InvalidUrl, Target, TargetField, text
from app.runtime.scope import Action, Run, RunScope
from app.runtime.signals import DeadlinePassed, StepError
from app.runtime.timeout import with_timeout
from app.runtime.verb import Builder, Verb
from app.verbs import http_answer, http_service

if TYPE_CHECKING:
    from app.language.services.service import Service

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""Methods that may be repeated (RFC 9110 section 9.2.2)."""
_DEFAULT_HEADERS = {"Accept": "application/json, */*;q=0.5", "User-Agent": "siteswap"}
_GROUPS = ("1xx", "2xx", "3xx", "4xx", "5xx")
_SUCCESS = frozenset(range(200, 300))


class Expect(Collection):
    """The statuses that count as success: ``200``, ``2xx``, or a list of these."""

    holds_stand_ins = False

    def json_schema(self) -> JsonSchema:
        group = {"enum": list(_GROUPS)}
        status = {"anyOf": [group, {"type": "integer", "minimum": 100, "maximum": 599}]}
        return {"anyOf": [status, {"type": "array", "items": status}]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> frozenset[int]:
        if not isinstance(value, list):
            return self.read(value)
        return frozenset().union(*super()._deserialize(value, *args, **options))

    def read(self, raw: Any) -> frozenset[int]:
        if isinstance(raw, int) and not isinstance(raw, bool) and 100 <= raw <= 599:
            return frozenset({raw})
        if isinstance(raw, str) and raw in _GROUPS:
            return frozenset(range(int(raw[0]) * 100, int(raw[0]) * 100 + 100))
        message = f"expected a status like 200 or 2xx, got {describe(raw)}"
        raise validation_error(
            "bad-status", message, "write `expect: 200`, or a list like `[2xx, 404]`"
        )


class HttpSchema(StepSchema):
    MISPLACED = {  # noqa: RUF012
        "url": "write the url after the method: `http: GET https://host/path`",
        "method": "write the method before the url: `http: GET https://host/path`",
        "params": "write `query` instead",
        "data": "write `json`, `form` or `body` instead",
        "auth": "write a header: `headers: {Authorization: ...}`",
    }

    target = TargetField(data_key="http", required=True)
    query = ObjectTemplate()
    headers = ObjectTemplate()
    json = Template(allow_none=True)
    form = ObjectTemplate()
    body = Template()
    expect = Expect()
    follow_redirects = Boolean()

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _one_body(self, _: Any, original: Any, **__: Any) -> None:
        found = [key for key in original if key in ("json", "form", "body")]
        if len(found) > 1:
            message = f"a request has one body, not {' and '.join(f'`{key}`' for key in found)}"
            hint = "keep one of them"
            raise ValidationError(
                {found[1]: validation_error("two-bodies", message, hint).messages}
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Verb):
    target: Target
    query: Compiled | None = None
    headers: Compiled | None = None
    json: Compiled | None = None
    form: Compiled | None = None
    body: Compiled | None = None
    expect: frozenset[int] = _SUCCESS
    follow_redirects: bool = False

    verb: ClassVar[str] = "http"
    schema: ClassVar[type[StepSchema]] = HttpSchema
    result_fields: ClassVar[tuple[str, ...]] = ("status", "headers", "body")
    has_effect: ClassVar[bool] = True

    @property
    def summary(self) -> str:
        return f"{self.target.method} {self.target.written}"

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        yield ("http",), self.target.url.parts
        for key in ("query", "headers", "json", "form", "body"):
            template = getattr(self, key)
            if template is not None:
                yield (key,), template

    def uses(self) -> Iterable[Use]:
        name = self.target.service
        if name is not None:
            yield Use("services", name, ("http",), self.target.offset, len(name))

    @property
    def unsafe_repetition(self) -> str | None:
        method = self.target.method
        if method in IDEMPOTENT:
            return None
        return f"a {method} that is repeated may be carried out twice"

    def detail(self, result: dict[str, Any]) -> str:
        return f"{self.summary} → {result['status']}"

    def default_retry(self, builder: Builder) -> Callable[[Run], RetryPolicy | None] | None:
        name = self.target.service
        if name is None:
            return None
        is_safe = self.unsafe_repetition is None or builder.may_repeat(self)

        def find(run: Run) -> RetryPolicy | None:
            service = run.dependencies.service(name)
            policy = service.retry if service else None
            return policy if policy and (is_safe or policy.idempotent) else None

        return find

    def build(self, builder: Builder) -> Action:
        prepare = self._prepare(sends_key=builder.may_repeat(self))
        follow, expect = self.follow_redirects, self.expect
        needs_json = builder.reads_fields_of_body(self.id)

        def exchange(run: Run, service: Service | None = None) -> dict[str, Any]:
            request = prepare(run, service)
            send_one = send if service is None else http_service.sender(service, send)
            response = send_one(run, request)
            if follow:
                request, response = http_answer.follow(run, request, response, send_one)
            return http_answer.read(run, request, response, expect, needs_json=needs_json)

        name = self.target.service
        return exchange if name is None else self._to_service(name, exchange)

    def _to_service(self, name: str, exchange: Callable[[Run, Service], dict[str, Any]]) -> Action:
        """The exchange with a service, in its turn, and in the time that is the service's own."""
        has_own_timeout = self.timeout is not None

        def call(run: Run) -> Any:
            service = http_service.find(run, name)
            with http_service.place(run, name, service):
                if has_own_timeout or service.timeout is None:
                    return exchange(run, service)
                return with_timeout(lambda run: exchange(run, service), service.timeout)(run)

        return call

    def _prepare(self, *, sends_key: bool) -> Callable[[Run, Service | None], Request]:
        method, url = self.target.method, self.target.url
        query = self.query.evaluate if self.query else lambda _: {}
        headers, body = self._headers(), self._body()

        def prepare(run: Run, service: Service | None) -> Request:
            scope, allows_private = run.scope, run.allows_private
            try:
                address = url.make(scope)
                base = http_service.base_url(service, scope) if service else ""
            except InvalidUrl as error:
                raise StepError("request", str(error)) from None
            parameters, defaults = query(scope), None
            if service is not None:
                defaults = http_service.headers(service, scope)
                parameters = http_service.query(service, scope, address) | parameters
                address = base + address
                allows_private |= service.allow_private
            if parameters and (pairs := _pairs(parameters)):
                address += ("&" if "?" in address else "?") + form.encode(pairs)
            sent = headers(scope, defaults)
            return Request(
                method,
                address,
                _with_key(sent, run) if sends_key else sent,
                body(scope),
                run.deadline - run.dependencies.monotonic(),
                run.dependencies.max_response_bytes,
                is_guarded=url.depends_on_data and not allows_private,
                allows_private=allows_private,
            )

        return prepare

    def _headers(self) -> Callable[[RunScope, dict[str, Any] | None], dict[str, str]]:
        content_type = {
            "json": "application/json",
            "form": "application/x-www-form-urlencoded",
            "body": "text/plain; charset=utf-8",
        }
        fixed = dict(_DEFAULT_HEADERS)
        for key, media_type in content_type.items():
            if getattr(self, key) is not None:
                fixed["Content-Type"] = media_type
        given = self.headers.evaluate if self.headers else None

        def headers(scope: RunScope, defaults: dict[str, Any] | None) -> dict[str, str]:
            if given is None and not defaults:
                return fixed
            own = http_service.merged_headers(defaults or {}, given(scope) if given else {})
            return http_service.merged_headers(fixed, own)

        return headers

    def _body(self) -> Callable[[RunScope], Content]:
        if self.json is not None:
            value = self.json.evaluate
            return lambda scope: Json(value(scope))
        if self.form is not None:
            form = self.form.evaluate
            return lambda scope: Form(_pairs(form(scope)))
        if self.body is not None:
            body = self.body.evaluate
            return lambda scope: text(body(scope)).encode()
        return lambda _: b""


def _with_key(headers: dict[str, str], run: Run) -> dict[str, str]:
    """The headers and the step's idempotency key, unless the flow sends its own.

    The header is the one of https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    own = any(name.lower() == "idempotency-key" for name in headers)
    return headers if own else {**headers, "Idempotency-Key": run.idempotency_key}


def _pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Parameters of a query or form: a list repeats its name, ``null`` is left out."""
    return [
        (name, text(item))
        for name, value in values.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]


def send(run: Run, request: Request) -> Response:
    """One exchange, its failures as step errors; running out of time ends the step's time."""
    if request.timeout <= 0:
        raise DeadlinePassed
    try:
        return run.dependencies.transport.send(request)
    except TransportError as error:
        message = f"{http_answer.name(request)}: {error.message}"
        if error.kind == "timeout":
            raise DeadlinePassed(message) from None
        raise StepError(error.kind, message) from None
