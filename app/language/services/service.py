"""A named service: what ``services.yaml`` says of it, and the schema that reads it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Protocol

from marshmallow import ValidationError, fields, post_load, validates_schema

from app.config.tls import Tls
from app.expression import Compiled, Issue
from app.language.fields import (
    Boolean,
    Duration,
    Integer,
    ObjectTemplate,
    StrictSchema,
    String,
    TextTemplate,
    about,
    issue,
    validation_error,
    wrong_type,
)
from app.language.retry import RetryField, RetryPolicy
from app.language.url import UrlField, UrlTemplate, parse_url, text

Path = tuple[str | int, ...]

WAYS = ("bearer", "basic", "header", "hmac")


@dataclass(frozen=True, slots=True)
class Message:
    """What a signature covers: ``target`` is path and query as they are sent."""

    method: str
    target: str
    timestamp: int
    """Seconds since the epoch."""
    body: Callable[[], bytes]


class Auth(Protocol):
    """One way to show who calls."""

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        """Its templates with their paths below ``auth``, and whether each is to be kept secret."""

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        """The headers that show it.

        Raises:
            ExpressionError: a template cannot be evaluated.
        """


@dataclass(frozen=True, slots=True)
class Bearer:
    """``Authorization: Bearer <token>`` (RFC 6750)."""

    token: Compiled

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        return [(("bearer",), self.token, True)]

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {text(self.token.evaluate(scope))}"}


@dataclass(frozen=True, slots=True)
class Basic:
    """``Authorization: Basic <base64 of user:password>`` (RFC 7617), in UTF-8."""

    user: Compiled
    password: Compiled

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        yield ("basic", "user"), self.user, False
        yield ("basic", "password"), self.password, True

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        pair = f"{text(self.user.evaluate(scope))}:{text(self.password.evaluate(scope))}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


@dataclass(frozen=True, slots=True)
class Header:
    """A header of any name, such as ``X-Api-Key``."""

    name: str
    value: Compiled

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        return [(("header", "value"), self.value, True)]

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        return {self.name: text(self.value.evaluate(scope))}


@dataclass(frozen=True, slots=True)
class Hmac:
    """A signature over method, target, time and body, by HMAC-SHA256 with a shared key.

    What is signed, and the headers, are described in ``docs/services.md``.
    """

    key: Compiled
    key_id: Compiled | None = None

    def templates(self) -> Iterable[tuple[Path, Compiled, bool]]:
        yield ("hmac", "key"), self.key, True
        if self.key_id is not None:
            yield ("hmac", "key_id"), self.key_id, False

    def headers(self, scope: Any, message: Message) -> Mapping[str, str]:
        key = text(self.key.evaluate(scope)).encode()
        signature = hmac.digest(key, signed(message), "sha256").hex()
        named = {"X-Key-Id": text(self.key_id.evaluate(scope))} if self.key_id else {}
        return {
            **named,
            "X-Timestamp": str(message.timestamp),
            "X-Signature": f"sha256={signature}",
        }


def signed(message: Message) -> bytes:
    """The bytes that are signed: four lines, without a line end after the last."""
    digest = hashlib.sha256(message.body()).hexdigest()
    lines = (message.method, message.target, str(message.timestamp), digest)
    return "\n".join(lines).encode()


class BasicSchema(StrictSchema):
    RECORD = Basic
    MISPLACED = {"username": "write `user` instead"}  # noqa: RUF012
    EXAMPLE = 'write `basic: {user: …, password: "${secrets.NAME}"}`'

    user = TextTemplate(required=True)
    password = TextTemplate(required=True)


class HeaderSchema(StrictSchema):
    RECORD = Header
    EXAMPLE = 'write `header: {name: X-Api-Key, value: "${secrets.NAME}"}`'

    name = String(required=True)
    value = TextTemplate(required=True)


class HmacSchema(StrictSchema):
    RECORD = Hmac
    MISPLACED = {"secret": "write `key` instead", "id": "write `key_id` instead"}  # noqa: RUF012
    EXAMPLE = 'write `hmac: {key: "${secrets.NAME}"}`'

    key = TextTemplate(required=True, metadata=about("The shared key: `${secrets.NAME}`."))
    key_id = TextTemplate(metadata=about("Which key it is, sent as `X-Key-Id`."))


class AuthSchema(StrictSchema):
    """``auth: {bearer: …}``: exactly one way."""

    MISPLACED = {  # noqa: RUF012
        "token": 'write `bearer: "${secrets.NAME}"`',
        "user": 'write `basic: {user: …, password: "${secrets.NAME}"}`',
        "api_key": 'write `header: {name: X-Api-Key, value: "${secrets.NAME}"}`',
    }
    EXAMPLE = 'write `auth: {bearer: "${secrets.NAME}"}`'

    bearer = TextTemplate(metadata=about("`Authorization: Bearer …`"))
    basic = fields.Nested(BasicSchema, metadata=about("`Authorization: Basic …`"))
    header = fields.Nested(HeaderSchema, metadata=about("A header of your own name."))
    hmac = fields.Nested(HmacSchema, metadata=about("A signature by a shared key."))

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _one_way(self, _: Any, original: Any, **__: Any) -> None:
        if not isinstance(original, dict):
            return
        found = [key for key in original if key in WAYS]
        if len(found) > 1:
            words = " and ".join(f"`{key}`" for key in found)
            raise ValidationError({found[1]: [_two_ways(words)]})
        if not found and original.keys() <= self.known:
            raise validation_error(
                "missing-key", "`auth` does not say how", f"one of {', '.join(WAYS)}"
            )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return Bearer(data["bearer"]) if "bearer" in data else next(iter(data.values()))


def _two_ways(words: str) -> Issue:
    return issue("two-auths", f"a service has one way of auth, not {words}", "keep one of them")


MAX_CONCURRENCY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. ``url`` is its base: a target's path is appended.

    ``headers``, ``query``, ``timeout`` (seconds) and ``retry`` are defaults; those of a step win.
    ``concurrency`` is how many requests it may be sent at once by this process.
    """

    url: UrlTemplate
    headers: Compiled | None = None
    query: Compiled | None = None
    auth: Auth | None = None
    timeout: float | None = None
    retry: RetryPolicy | None = None
    concurrency: int | None = None
    tls: Tls | None = None
    allow_private: bool = False
    description: str | None = None

    def templates(self) -> Iterator[tuple[Path, Compiled]]:
        """Its templates with their paths inside it."""
        yield ("url",), self.url.parts
        for key in ("headers", "query"):
            template = getattr(self, key)
            if template is not None:
                yield (key,), template
        for path, template, _ in self.auth.templates() if self.auth else ():
            yield ("auth", *path), template

    def open_credentials(self) -> Iterator[Path]:
        """Paths of credentials that are written in the file."""
        for path, template, is_secret in self.auth.templates() if self.auth else ():
            if is_secret and template.constant and template.source:
                yield ("auth", *path)


class BaseUrl(UrlField):
    """``https://host/base/path``, or a path of this very application."""

    stand_in = parse_url("https://host")

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> UrlTemplate:
        parsed = super()._deserialize(value, *args, **options)
        for message, hint in _url_mistakes(value):
            raise validation_error("bad-url", message, hint)
        return parsed


def _url_mistakes(url: str) -> Iterator[tuple[str, str]]:
    literal = re.sub(r"\$\{[^}]*\}", "x", url)
    if "?" in literal:
        yield "a base url has no query", "write its parameters under `query`"
    elif "#" in literal:
        yield "a base url has no fragment", "delete the `#` and what follows it"
    elif "@" in literal.partition("://")[2].partition("/")[0]:
        yield "a url holds no user and password", "write `auth: {basic: …}` instead"


class FileName(fields.Field[FilePath]):
    """The path of a file; a relative one starts at the flows folder."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> FilePath:
        if not isinstance(value, str) or not value or "\0" in value:
            raise wrong_type("the path of a file", value)
        return FilePath(value).expanduser()


class TlsSchema(StrictSchema):
    """``tls: {ca, cert, key, verify}``."""

    RECORD = Tls
    MISPLACED = {  # noqa: RUF012
        "insecure": "write `verify: false`, or better name the `ca`",
        "certificate": "write `cert` instead",
    }
    EXAMPLE = "write `tls: {ca: tls/ca.pem}`"

    ca = FileName(metadata=about("PEM file of the only authorities that are trusted."))
    cert = FileName(metadata=about("PEM file of the certificate that shows who we are."))
    key = FileName(metadata=about("PEM file of its key, if `cert` does not hold it."))
    verify = Boolean(load_default=True, metadata=about("`false`: any certificate will do."))

    @validates_schema(skip_on_field_errors=True)
    def _pairs(self, data: dict[str, Any], **_: Any) -> None:
        if "key" in data and "cert" not in data:
            message = "a key is of no use without its certificate"
            raise ValidationError({"key": [issue("useless-key", message, "write `cert` too")]})


class ServiceSchema(StrictSchema):
    """One entry of ``services``."""

    RECORD = Service
    MISPLACED = {  # noqa: RUF012
        "base_url": "write `url` instead",
        "baseUrl": "write `url` instead",
        "token": 'write `auth: {bearer: "${secrets.NAME}"}`',
        "params": "write `query` instead",
        "retries": "write `retry` instead",
        "verify": "write `tls: {verify: false}`",
    }
    EXAMPLE = "write `url: https://…` below it"

    url = BaseUrl(required=True, metadata=about("Base url; a base path is kept."))
    description = String(metadata=about("What it is, for people."))
    headers = ObjectTemplate(metadata=about("Headers of every request; a step's own win."))
    query = ObjectTemplate(metadata=about("Parameters of every request; a step's own win."))
    auth = fields.Nested(AuthSchema, metadata=about("How it knows who calls."))
    timeout = Duration(metadata=about("How long one attempt may take."))
    retry = RetryField(metadata=about("How often a failed request is repeated."))
    concurrency = Integer(
        1, MAX_CONCURRENCY, metadata=about("Requests under way at once in each process.")
    )
    tls = fields.Nested(TlsSchema, metadata=about("Own authorities, and a client certificate."))
    allow_private = Boolean(
        load_default=False,
        metadata=about("`true`: its redirects may lead to private addresses."),
    )

    @validates_schema(skip_on_field_errors=True)
    def _tls_is_used(self, data: dict[str, Any], **_: Any) -> None:
        if "tls" in data and data["url"].written.startswith(("http://", "/")):
            found = issue("useless-key", "`tls` is for https", "write `https://` in the url")
            raise ValidationError({"tls": [found]})
