"""A named database: the keys that describe it under ``databases:``, and what its address says.

The address is a SQLAlchemy URL, ``postgresql://user:password@host/name``, and may hold
``${secrets.X}`` and ``${env.X}``. It is read here without the library, which is an extra. It holds
a password, so no message shows more of it than one word.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from marshmallow import ValidationError, fields, post_load

from app.errors import install
from app.expression import (
    Compiled,
    ExpressionError,
    ExpressionSyntaxError,
    Issue,
    Scope,
    compile_template,
    split_template,
)
from app.language.fields import (
    Boolean,
    Duration,
    Integer,
    JsonSchema,
    StrictSchema,
    String,
    about,
    describe,
    issue,
    validation_error,
)
from app.words import did_you_mean

DEFAULT_POOL_SIZE = 5
EXAMPLE = "write it like `url: postgresql://user:${secrets.DB_PASSWORD}@host/name`"


class Dialect(NamedTuple):
    """A kind of database: its one driver, and the extra that installs what it needs."""

    driver: str
    library: str
    extra: str


KINDS: Mapping[str, Dialect] = {
    "sqlite": Dialect("pysqlite", "sqlite3", "sql"),
    "mysql": Dialect("pymysql", "pymysql", "mysql"),
    "mariadb": Dialect("pymysql", "pymysql", "mysql"),
    "postgresql": Dialect("psycopg", "psycopg", "postgresql"),
}
"""Drivers that let the other requests of their process go on while they wait for the database."""

_WORD = re.compile("[a-z0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Location:
    """What an address says, its values in place. ``kind`` is a key of :data:`KINDS`."""

    kind: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    name: str = ""
    """Of the database on its server; the path of a SQLite file."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


class BadUrlError(ValidationError):
    """An address that cannot be used; ``issue`` says why, without its password."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.issue = issue("bad-url", message, hint)
        super().__init__([self.issue])


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it is written: ``whole`` for its reads, ``pieces`` for its values."""

    whole: Compiled = field(repr=False)
    pieces: tuple[Compiled, ...] = field(repr=False)

    def locate(self, scope: Scope) -> Location:
        """What it says with these ``env`` and ``secrets``.

        Raises:
            BadUrlError: it is no address of a database that can be used here.
        """
        texts: list[str] = []
        is_before_host = False
        for piece in reversed(self.pieces):
            # A user's name or password may hold any character, so it is percent-encoded.
            text = _text(piece, scope)
            texts.append(quote(text, safe="") if is_before_host and not piece.constant else text)
            is_before_host = is_before_host or (piece.constant and "@" in piece.source)
        return location("".join(reversed(texts)))


def _text(piece: Compiled, scope: Scope) -> str:
    try:
        value = piece.evaluate(scope)
    except ExpressionError as error:
        raise BadUrlError(f"the address of the database: {error.message}") from None
    if not isinstance(value, str | int):
        message = f"the address of the database holds {describe(value)} where text belongs"
        raise BadUrlError(message)
    return str(value)


def location(url: str) -> Location:
    """What the text of an address says.

    Raises:
        BadUrlError: it is no address of a database that can be used here.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        raise BadUrlError("the address has no `://`", EXAMPLE)
    kind = _kind(scheme)
    _check_library("sqlalchemy", "sql")
    _check_library(KINDS[kind].library, KINDS[kind].extra)
    if kind == "sqlite":
        return _file(rest)
    try:
        return _server(kind, urlsplit(f"{kind}://{rest}"))
    except ValueError:
        hint = "percent-encode what comes before the `@`; a port is a number"
        raise BadUrlError("the address after `://` cannot be read", hint) from None


def _kind(scheme: str) -> str:
    kind, _, driver = scheme.partition("+")
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        hint = f"write `{near}://…`" if near else f"one of {', '.join(KINDS)}"
        shown = f" `{kind}`" if _WORD.fullmatch(kind) else ""
        raise BadUrlError(f"unknown kind of database{shown}", hint)
    if driver and driver != KINDS[kind].driver:
        message = "another driver is not used here: it may stop all other requests while it waits"
        raise BadUrlError(message, f"write `{kind}://…`, which is {kind}+{KINDS[kind].driver}")
    return kind


def _check_library(library: str, extra: str) -> None:
    if importlib.util.find_spec(library) is None:
        raise BadUrlError(f"{library} is not installed", install(extra))


def _file(rest: str) -> Location:
    """``sqlite:///relative.db`` and ``sqlite:////absolute.db``."""
    host, slash, path = rest.partition("/")
    path, _, query = path.partition("?")
    if host or not slash:
        message = "the path of a SQLite file begins after the third slash"
        raise BadUrlError(
            message, "write `sqlite:///data/shop.db`, or `sqlite:////var/lib/shop.db`"
        )
    if path in ("", ":memory:") or path.startswith("file:"):
        message = "a SQLite database is a file: in memory each connection would have its own"
        raise BadUrlError(message, "write `sqlite:///data/shop.db`")
    if query:
        message = "the address of a SQLite file has no options"
        raise BadUrlError(message, "delete the `?` and what follows")
    return Location("sqlite", name=unquote(path))


def _server(kind: str, parts: SplitResult) -> Location:
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    name = unquote(parts.path.removeprefix("/"))
    if not (parts.hostname or "host" in options or "unix_socket" in options):
        raise BadUrlError("the address names no host", EXAMPLE)
    if not name:
        hint = "write its name after the host: `postgresql://user@host/name`"
        raise BadUrlError("the address names no database of its server", hint)
    user, password = (
        None if part is None else unquote(part) for part in (parts.username, parts.password)
    )
    return Location(kind, user, password, parts.hostname, parts.port, name, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One entry of ``databases:``. ``timeout`` is in seconds, of one statement."""

    url: Address
    pool_size: int = DEFAULT_POOL_SIZE
    read_only: bool = False
    timeout: float | None = None
    description: str | None = None

    def templates(self) -> Iterable[tuple[tuple[str | int, ...], Compiled]]:
        """Its templates with their paths inside it, as a step has them."""
        return [(("url",), self.url.whole)]

    def check(self, scope: Scope) -> Iterable[tuple[tuple[str | int, ...], Issue]]:
        """What is wrong with its address, where ``env`` and ``secrets`` are known."""
        if self.url is AddressField.stand_in:
            return
        try:
            self.url.locate(scope)
        except BadUrlError as error:
            yield ("url",), error.issue


class AddressField(fields.Field[Address]):
    """A SQLAlchemy URL, perhaps with ``${secrets.X}`` and ``${env.X}``."""

    stand_in = Address(compile_template(""), ())

    def json_schema(self) -> JsonSchema:
        return {"type": "string"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Address:
        if not isinstance(value, str):
            raise validation_error(
                "wrong-type", f"expected an address, got {describe(value)}", EXAMPLE
            )
        try:
            whole = compile_template(value)
        except ExpressionSyntaxError as error:
            raise ValidationError(list(error.issues)) from None
        # What can be said of it before its values are known.
        scheme, mark, _rest = value.partition("${")[0].partition("://")
        if whole.constant:
            location(value)
        elif mark:
            _kind(scheme)
        return Address(whole, tuple(compile_template(part) for _, part in split_template(value)))


class DatabaseSchema(StrictSchema):
    """One entry of ``databases:``."""

    EXAMPLE = "write `url: …` below the database's name"
    MISPLACED = {  # noqa: RUF012
        **dict.fromkeys(("uri", "dsn"), "write `url` instead"),
        "host": "write the host in the url: `postgresql://user@host/name`",
        "user": "write the user in the url: `postgresql://user@host/name`",
        "password": "write it in the url: `postgresql://user:${secrets.NAME}@host/name`",
        "pool": "write `pool_size` instead",
    }

    url = AddressField(
        required=True,
        metadata=about("Where it is: `postgresql://user:${secrets.DB_PASSWORD}@host/name`."),
    )
    pool_size = Integer(
        1,
        100,
        load_default=DEFAULT_POOL_SIZE,
        metadata=about("Connections of each worker process at most; 5 by default."),
    )
    read_only = Boolean(
        load_default=False, metadata=about("`true`: the database itself refuses every change.")
    )
    timeout = Duration(metadata=about("How long one statement may take; the step's time at most."))
    description = String(metadata=about("What it holds."))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Database:
        return Database(**data)
