"""Urls where people write them, alone or after a method, and the mistakes they make there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields

from app.expression import Problem
from app.spec.fields import describe, mistake
from app.spec.json_schema import JsonSchema
from app.steps.http_url import UrlTemplate, parse_url

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BEGINNINGS = ("http://", "https://", "/", "${")
_EXAMPLE = "write it like `http: GET https://host/path`"
_URL_EXAMPLE = "write it like `https://host/path`"


@dataclass(frozen=True, slots=True)
class Target:
    """Method and url of a request."""

    method: str
    url: UrlTemplate


class TargetField(fields.Field[Target]):
    """``GET https://host/path/${value}``."""

    stand_in = Target("GET", parse_url(""))

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": f"^({'|'.join(METHODS)}) "}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Target:
        if not isinstance(value, str):
            message = f"expected a method and a url, got {describe(value)}"
            raise mistake("wrong-type", message, _target_hint(value))
        method, _space, rest = value.partition(" ")
        if method not in METHODS:
            raise ValidationError([_bad_method(method, value)])
        url = rest.strip()
        if not url:
            raise mistake("bad-url", f"the url after `{method}` is missing", _EXAMPLE)
        offset = value.index(url, len(method))
        return Target(method, _url(url, offset, f"{method} "))


class UrlField(fields.Field[UrlTemplate]):
    """``https://host/path/${value}``."""

    stand_in = parse_url("")

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> UrlTemplate:
        if not isinstance(value, str):
            raise mistake("wrong-type", f"expected a url, got {describe(value)}", _URL_EXAMPLE)
        if not value:
            raise mistake("bad-url", "the url is missing", _URL_EXAMPLE)
        return _url(value)


def _url(url: str, offset: int = 0, before: str = "") -> UrlTemplate:
    """The template of a url that follows on the text ``before``."""
    if url.startswith(_BEGINNINGS):
        return parse_url(url, offset)
    message = "a url begins with https://, http://, or / for this very application"
    example = _EXAMPLE if before else _URL_EXAMPLE
    hint = example if "://" in url else f"write `{before}https://{url}`"
    raise ValidationError([Problem("bad-url", message, offset, len(url), hint)])


def _target_hint(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("url"), str):
        return f"write `http: {str(value.get('method', 'GET')).upper()} {value['url']}`"
    return _EXAMPLE


def _bad_method(method: str, value: str) -> Problem:
    if method.startswith(_BEGINNINGS):
        hint = f"write `GET {value}`, or another method"
        return Problem("bad-method", "the method before the url is missing", 0, len(method), hint)
    hint = f"write `{method.upper()}`" if method.upper() in METHODS else ""
    message = f"unknown method `{method}`"
    return Problem("bad-method", message, 0, len(method), hint or f"one of {', '.join(METHODS)}")
