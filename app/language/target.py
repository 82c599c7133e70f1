"""Urls where people write them, alone or after a method, and the mistakes they make there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields

from app.expression import Issue
from app.language.fields import (
    SCHEMES,
    SERVICE_NAME,
    JsonSchema,
    validation_error,
    wrong_type,
)
from app.language.url import UrlTemplate, parse_url

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BEGINNINGS = ("http://", "https://", "/", "${")
_SERVICE = re.compile(rf"({SERVICE_NAME.pattern}):(?=/(?!/))")
_LACKS_SLASH = re.compile(rf"({SERVICE_NAME.pattern}):(?=[^/0-9])")
_ONE_SLASH = re.compile(":/?")
_EXAMPLE = "write it like `http: GET https://host/path`"
_URL_EXAMPLE = "write it like `https://host/path`"


@dataclass(frozen=True, slots=True)
class Target:
    """Method and url of a request; to a named service, ``url`` is what follows its own."""

    method: str
    url: UrlTemplate
    service: str | None = None
    offset: int = 0
    """Where the service's name stands in the text."""

    @property
    def written(self) -> str:
        """The address as the flow has it."""
        return f"{self.service}:{self.url.written}" if self.service else self.url.written


class TargetField(fields.Field[Target]):
    """``GET https://host/path/${value}``."""

    stand_in = Target("GET", parse_url(""))

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": f"^({'|'.join(METHODS)}) "}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Target:
        if not isinstance(value, str):
            raise wrong_type("a method and a url", value, _target_hint(value))
        method, _space, rest = value.partition(" ")
        if method not in METHODS:
            raise ValidationError([_bad_method(method, value)])
        url = rest.strip()
        if not url:
            raise validation_error("bad-url", f"the url after `{method}` is missing", _EXAMPLE)
        offset = value.index(url, len(method))
        return _target(method, url, offset)


def _target(method: str, url: str, offset: int) -> Target:
    named = _SERVICE.match(url)
    if named is None or named[1] in SCHEMES:
        return Target(method, _url(url, offset, f"{method} "))
    path = parse_url(url[named.end() :], offset + named.end())
    return Target(method, path, named[1], offset)


class UrlField(fields.Field[UrlTemplate]):
    """``https://host/path/${value}``."""

    stand_in = parse_url("")

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> UrlTemplate:
        if not isinstance(value, str):
            raise wrong_type("a url", value, _URL_EXAMPLE)
        if not value:
            raise validation_error("bad-url", "the url is missing", _URL_EXAMPLE)
        return _url(value)


def _url(url: str, offset: int = 0, before: str = "") -> UrlTemplate:
    """The template of a url that follows on the text ``before``."""
    if url.startswith(_BEGINNINGS):
        return parse_url(url, offset)
    if before:
        raise ValidationError([_bad_target(before, url, offset)])
    message = "a url begins with https://, http://, or / for this very application"
    hint = _URL_EXAMPLE if "://" in url else f"write `https://{url}`"
    raise ValidationError([Issue("bad-url", message, offset, len(url), hint)])


def _bad_target(before: str, url: str, offset: int) -> Issue:
    message = "a url begins with https://, http://, the name of a service like `crm:/`, or `/`"
    hint = f"write `{before}https://{url}`"
    if "://" in url:
        hint = _EXAMPLE
    elif url.startswith(("http:", "https:")):
        hint = f"write `{before}{_ONE_SLASH.sub('://', url, count=1)}`"
    elif named := _LACKS_SLASH.match(url):
        hint = f"write `{before}{named[0]}/{url[named.end() :]}`"
    return Issue("bad-url", message, offset, len(url), hint)


def _target_hint(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("url"), str):
        return f"write `http: {str(value.get('method', 'GET')).upper()} {value['url']}`"
    return _EXAMPLE


def _bad_method(method: str, value: str) -> Issue:
    if method.startswith(_BEGINNINGS):
        hint = f"write `GET {value}`, or another method"
        return Issue("bad-method", "the method before the url is missing", 0, len(method), hint)
    hint = f"write `{method.upper()}`" if method.upper() in METHODS else ""
    message = f"unknown method `{method}`"
    return Issue("bad-method", message, 0, len(method), hint or f"one of {', '.join(METHODS)}")
