"""A named service: what ``services.yaml`` says of it, and the schema that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.config.tls import Tls
from app.expression import Compiled
from app.language.fields import (
    Boolean,
    Duration,
    Integer,
    ObjectTemplate,
    StrictSchema,
    String,
    about,
    issue,
    validation_error,
    wrong_type,
)
from app.language.retry import RetryField, RetryPolicy
from app.language.services.auth import Auth, AuthSchema, Path
from app.language.target import UrlField
from app.language.url import UrlTemplate, parse_url

MAX_CONCURRENCY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. ``url`` is its base: a target's path is put behind it.

    What a step says itself goes over ``headers``, ``query``, ``timeout`` (seconds) and ``retry``.
    ``concurrency`` is how many requests are under way at once in this process.
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
        """Paths of credentials that stand in the file, where everybody can read them."""
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
        yield "a base url has no fragment", "delete what stands behind the `#`"
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
