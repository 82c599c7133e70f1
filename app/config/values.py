"""The values of settings, and how their text is read.

A parser takes the text and the project folder, where relative paths start. It raises
``ValueError`` with what was given, never a token or a secret, and what is allowed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from app.config.secrets import NAME as SECRET_NAME
from app.config.tokens import NAME as TOKEN_NAME
from app.config.tokens import digest_of
from app.durations import parse_duration

PREFIX = "SITESWAP_"
SECRET = f"{PREFIX}SECRET_"

_UNITS = {"B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}

Number = TypeVar("Number", int, float)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where the runs are kept: ``kind`` is ``memory``, ``file`` or ``redis``."""

    kind: str
    path: Path | None = None
    """The SQLite file."""
    url: str | None = field(default=None, repr=False)
    """Of Redis; it may hold a password."""

    def __str__(self) -> str:
        """As the setting says it, with a whole path and without a user, a password or options."""
        if self.url is None:
            return f"{self.kind}:{self.path or ''}"
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """What runs async flows: ``kind`` is ``threads`` or ``celery``."""

    kind: str
    threads: int = 0
    """How many at once in each worker; celery's own workers decide for themselves."""


def path(text: str, root: Path) -> Path:
    """A file or folder, absolute."""
    return root / Path(text).expanduser()


def optional_path(text: str, root: Path) -> Path | None:
    """The same; ``None`` for no text."""
    return path(text, root) if text else None


def store(text: str, root: Path) -> StoreAddress:
    """``file:PATH``, ``redis://…``, ``rediss://…`` or ``memory:``."""
    scheme, colon, rest = text.partition(":")
    if text == "memory:":
        return StoreAddress("memory")
    if scheme == "file" and rest:
        return StoreAddress("file", path=path(rest, root))
    if scheme in ("redis", "rediss") and colon:
        return StoreAddress("redis", url=_url(text, "redis://HOST:6379/0"))
    # Only the part before the colon: what follows may hold a password.
    raise ValueError(
        f"{scheme + colon!r} is not a store; write file:PATH, redis://HOST:6379/0 or memory:"
    )


def executor(text: str, _root: Path) -> ExecutorChoice:
    """``threads``, ``threads:N`` or ``celery``."""
    kind, _, count = text.partition(":")
    if text == "celery":
        return ExecutorChoice("celery")
    if kind != "threads" or not re.fullmatch(r"[0-9]{0,6}", count) or text.endswith(":"):
        raise ValueError(f"{text!r} is not an executor; write threads, threads:N or celery")
    threads = int(count or 32)
    if not 1 <= threads <= 1_000:
        raise ValueError(f"{threads} threads are outside of 1 to 1000")
    return ExecutorChoice("threads", threads)


def broker(text: str, _root: Path) -> str | None:
    """The URL of a message broker that Celery knows; ``None`` for no text."""
    scheme, colon, _ = text.partition(":")
    if not text:
        return None
    if scheme not in ("redis", "rediss", "amqp", "amqps"):
        raise ValueError(
            f"{scheme + colon!r} is not a broker; write redis://HOST:6379/1 or amqp://HOST:5672//"
        )
    return _url(text, f"{scheme}://HOST:PORT/…")


def _url(text: str, example: str) -> str:
    """A URL with a host. The error shows none of it: it may hold a password."""
    try:
        parts = urlsplit(text)
        is_good = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or re.search(r"\s", text):
        raise ValueError(
            f"this is not an address like {example}; "
            "percent-encode what stands in a user or a password"
        )
    return text


def tokens(text: str, _root: Path) -> dict[str, str]:
    """``name=token,…`` as name → SHA-256 hex digest."""
    digests: dict[str, str] = {}
    for number, entry in enumerate(_items(text), start=1):
        name, equals, token = entry.partition("=")
        if not equals or not TOKEN_NAME.fullmatch(name):
            raise ValueError(f"entry {number} is not name=token, with a name such as crm or ci-2")
        if name in digests:
            raise ValueError(f"the name {name} stands twice")
        if not re.fullmatch(r"[!-~]+", token):
            raise ValueError(f"the token of {name} must be printable ASCII without spaces")
        digests[name] = digest_of(token)
    if len(set(digests.values())) != len(digests):
        raise ValueError("two names have the same token; give each its own")
    return digests


def either(one: str, other: str) -> Callable[[str, Path], str]:
    """One of two words."""

    def parse(text: str, _root: Path) -> str:
        if text not in (one, other):
            raise ValueError(f"{text!r} is neither {one} nor {other}")
        return text

    return parse


def switch(text: str, root: Path) -> bool:
    """``on`` or ``off``."""
    return either("on", "off")(text, root) == "on"


def size(smallest: str, largest: str) -> Callable[[str, Path], int]:
    """Bytes, with a unit or without."""

    def in_bytes(text: str) -> int:
        match = re.fullmatch(r"([0-9]{1,12}) ?(B|KB|MB|GB)?", text, re.IGNORECASE)
        if not match:
            raise ValueError(f"{text!r} is not a size; write bytes, or a number with KB, MB or GB")
        return int(match[1]) * _UNITS[(match[2] or "B").upper()]

    return _between(smallest, largest, in_bytes)


def duration(shortest: str, longest: str) -> Callable[[str, Path], float]:
    """Seconds, written with a unit."""

    def in_seconds(text: str) -> float:
        seconds = parse_duration(text)
        if seconds is None:
            raise ValueError(f"{text!r} is not a duration; write a number with s, m, h or d")
        return seconds

    return _between(shortest, longest, in_seconds)


def _between(least: str, most: str, read: Callable[[str], Number]) -> Callable[[str, Path], Number]:
    def parse(text: str, _root: Path) -> Number:
        if not read(least) <= (value := read(text)) <= read(most):
            raise ValueError(f"{text!r} is outside of {least} to {most}")
        return value

    return parse


def count(text: str, _root: Path) -> int:
    """A number of runs."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= 1_000_000:
        raise ValueError(f"{text!r} is not a number of runs from 1 to 1000000")
    return int(text)


def names(text: str, _root: Path) -> tuple[str, ...]:
    """Names of environment variables that are neither tokens nor secrets of ours."""
    for name in (found := _items(text)):
        if not SECRET_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a variable; write NAME,OTHER_NAME")
        if name == f"{PREFIX}TOKENS" or name.startswith(SECRET):
            raise ValueError(
                f"{name} may not be read as env, which is not masked; "
                f"flows read {SECRET}NAME as secrets.NAME"
            )
    return found


def networks(text: str, _root: Path) -> tuple[Network, ...]:
    """Addresses and networks, as networks."""
    return tuple(map(_network, _items(text)))


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a network; write addresses like 10.1.0.0/16,fd00::/8,127.0.0.1"
        ) from None
    if "/" in text and ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
        raise ValueError(f"{text!r} begins inside of a network; write {network}")
    return network


def _items(text: str) -> tuple[str, ...]:
    """The parts between commas, without empty ones."""
    return tuple(filter(None, map(str.strip, text.split(","))))
