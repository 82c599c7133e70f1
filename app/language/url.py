"""A url with ``${…}`` in it: each value is written as its place allows.

No value leaves its place. In a path, a query or a fragment it is percent-encoded, always and once
more if it was; in the place of a scheme or a host it is refused if it could end it. Only a
``${…}`` that is the beginning of a url is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import quote

from marshmallow import ValidationError, fields

from app.expression import (
    Compiled,
    ExpressionSyntaxError,
    Issue,
    Scope,
    compile_template,
    split_template,
)
from app.language.fields import (
    SCHEMES,
    SERVICE_NAME,
    JsonSchema,
    describe,
    validation_error,
    wrong_type,
)
from app.strict_json import dumps

_HOLE = "\0"
"""Stands for a ``${…}`` in the outline of a url; no text of a flow file holds this character."""
_HEAD = re.compile(rf"(?:https?://|{_HOLE}://|{_HOLE})[^/?#\\]*")
"""What decides who is asked: scheme, host and port."""
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)
"""A piece of a path that means this folder, or the one above it (RFC 3986 section 5.2.4)."""
_ENDS_HOST = re.compile(r"[\x00-\x20\x7f-\xa0/?#@\\%]|\s")
_BEGINNING = re.compile(r"https?://|/", re.IGNORECASE)
_OPERATORS_ROOTS = frozenset({"env", "secrets", "flow"})
"""Roots whose values the operator has chosen; all others are data."""


class InvalidUrl(ValueError):
    """A value that cannot be a part of its url; the text says why."""


class UrlPart(Enum):
    """The place of a piece in a url."""

    LITERAL = "as written in the flow"
    BEGINNING = "the whole url, or its beginning"
    SCHEME = "before ://"
    HOST = "host and port"
    REST = "path, query or fragment"


@dataclass(frozen=True, slots=True)
class UrlTemplate:
    """A url as ``written``, and its pieces as a list template.

    ``make`` gives the url of one request, without its fragment. It raises :class:`InvalidUrl`
    for a value that would leave its place.
    """

    written: str
    parts: Compiled
    make: Callable[[Scope], str]
    depends_on_data: bool
    """Whether what a caller or another server sent decides who is asked."""


def parse_url(text: str, offset: int = 0) -> UrlTemplate:
    """The template of a url; ``offset`` is where it begins in its scalar, for its issues.

    Raises:
        ValidationError: with :class:`Issue` objects.
    """
    spans = split_template(text)
    starts = {(index,): offset + start for index, (start, _) in enumerate(spans)}
    try:
        parts = compile_template([written for _, written in spans])
    except ExpressionSyntaxError as error:
        raise ValidationError(
            [replace(p, offset=starts[p.path[:1]] + p.offset, path=()) for p in error.issues]  # type: ignore[index]
        ) from None
    pieces = [_HOLE if w.startswith("${") else w.replace("$${", "${") for _, w in spans]
    places, outline = tuple(_places(pieces)), "".join(pieces)
    _refuse_unclear_places(places, spans, offset)
    reads = [replace(r, offset=starts[r.where[:1]] + r.offset, where=()) for r in parts.reads]  # type: ignore[index]
    decisive = {(index,) for index, place in enumerate(places) if place in _DECISIVE}
    is_data = any(
        read.where[:1] in decisive and read.path[0] not in _OPERATORS_ROOTS for read in parts.reads
    )
    make = _maker(outline, places, parts.evaluate)
    return UrlTemplate(text, replace(parts, reads=tuple(reads)), make, is_data)


def _maker(
    outline: str, places: tuple[UrlPart, ...], evaluate: Callable[[Scope], list[Any]]
) -> Callable[[Scope], str]:
    if _HOLE not in outline:
        literal = outline.partition("#")[0]
        return lambda _: literal
    writers = [_WRITERS[place] for place in places]
    own = int(places[0] is UrlPart.BEGINNING)
    dots = _dot_segments(outline[own:])

    def make(scope: Scope) -> str:
        pieces = [write(value) for write, value in zip(writers, evaluate(scope), strict=True)]
        url = "".join(pieces)
        if ("/." in url or "/%2" in url) and _dot_segments("".join(pieces[own:])) != dots:
            raise _refused("a value makes `.` or `..` of a part of its path, and would climb")
        return url.partition("#")[0]

    return make


def _places(pieces: list[str]) -> Iterator[UrlPart]:
    outline = "".join(pieces)
    head = _HEAD.match(outline)
    position, head_end = 0, head.end() if head else 0
    for piece in pieces:
        if piece != _HOLE:
            yield UrlPart.LITERAL
        elif position >= head_end:
            yield UrlPart.REST
        elif position:
            yield UrlPart.HOST
        else:
            yield UrlPart.SCHEME if outline.startswith("://", 1) else UrlPart.BEGINNING
        position += len(piece)


def _refuse_unclear_places(
    places: tuple[UrlPart, ...], spans: list[tuple[int, str]], offset: int
) -> None:
    """Where the beginning of a url ends is known only if what follows it says so."""
    if UrlPart.BEGINNING not in places or UrlPart.HOST not in places:
        return
    start, written = spans[places.index(UrlPart.HOST)]
    message = "this may be a part of the host or of the path: the `${…}` before it decides"
    hint = f"begin it with `/`, `?` or `#`, like `${{…}}/{written}`"
    raise ValidationError([Issue("bad-url", message, offset + start, len(written), hint)])


def text(value: Any) -> str:
    """A value as it is written in a url, a header or a form."""
    if isinstance(value, str):
        return value
    # Most values are ids, for which JSON has no other form than Python.
    return str(value) if type(value) is int else dumps(value)


def _encoded(value: Any) -> str:
    written = _scalar(value)
    if written.isalnum() and written.isascii():
        return written
    try:
        return quote(written, safe="")
    except UnicodeEncodeError:
        raise _refused("a value holds half a character (a lone surrogate)") from None


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, list | dict):
        raise InvalidUrl(f"the url holds {describe(value)} where text belongs")
    return text(value)


def _beginning(value: Any) -> str:
    if not isinstance(value, str) or not _BEGINNING.match(value):
        raise _refused("it does not begin with http:// or https://")
    return value


def _scheme(value: Any) -> str:
    if value not in SCHEMES:
        raise _refused("its scheme is neither http nor https")
    return str(value)


def _host(value: Any) -> str:
    host = _scalar(value)
    if found := _ENDS_HOST.search(host):
        raise _refused(f"a value in the place of its host holds {found[0]!r}")
    return host


_DECISIVE = frozenset({UrlPart.BEGINNING, UrlPart.SCHEME, UrlPart.HOST})
_WRITERS: dict[UrlPart, Callable[[Any], str]] = {
    UrlPart.LITERAL: str,
    UrlPart.BEGINNING: _beginning,
    UrlPart.SCHEME: _scheme,
    UrlPart.HOST: _host,
    UrlPart.REST: _encoded,
}


def _dot_segments(url: str) -> int:
    """How many parts of its path are ``.`` or ``..``."""
    return len(_DOT_SEGMENT.findall(re.split("[?#]", url, maxsplit=1)[0]))


def _refused(reason: str) -> InvalidUrl:
    return InvalidUrl(f"the url cannot be used: {reason}")


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
    """The place of the service's name in the text."""

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
