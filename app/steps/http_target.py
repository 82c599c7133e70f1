"""What stands after ``http:``, a method and a url, and the mistakes people make there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields

from app.expression import Problem
from app.spec.fields import describe, mistake
from app.spec.json_schema import JsonSchema
from app.spec.service import NAME, RESERVED
from app.steps.http_url import UrlTemplate, parse_url

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BEGINNINGS = ("http://", "https://", "/", "${")
_SERVICE = re.compile(rf"({NAME.pattern}):(?=/(?!/))")
_LACKS_SLASH = re.compile(rf"({NAME.pattern}):(?=[^/0-9])")
_ONE_SLASH = re.compile(":/?")
_EXAMPLE = "write it like `http: GET https://host/path`"


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
            message = f"expected a method and a url, got {describe(value)}"
            raise mistake("wrong-type", message, _target_hint(value))
        method, _space, rest = value.partition(" ")
        if method not in METHODS:
            raise ValidationError([_bad_method(method, value)])
        url = rest.strip()
        if not url:
            raise mistake("bad-url", f"the url after `{method}` is missing", _EXAMPLE)
        offset = value.index(url, len(method))
        if url.startswith(_BEGINNINGS):
            return Target(method, parse_url(url, offset))
        named = _SERVICE.match(url)
        if named is None or named[1] in RESERVED:
            raise ValidationError([_bad_url(method, url, offset)])
        path = parse_url(url[named.end() :], offset + named.end())
        return Target(method, path, named[1], offset)


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


def _bad_url(method: str, url: str, offset: int) -> Problem:
    message = "a url begins with https://, http://, the name of a service like `crm:/`, or `/`"
    hint = f"write `{method} https://{url}`"
    if "://" in url:
        hint = _EXAMPLE
    elif url.startswith(("http:", "https:")):
        hint = f"write `{method} {_ONE_SLASH.sub('://', url, count=1)}`"
    elif named := _LACKS_SLASH.match(url):
        hint = f"write `{method} {named[0]}/{url[named.end() :]}`"
    return Problem("bad-url", message, offset, len(url), hint)
