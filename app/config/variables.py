"""How the text of each setting is read: its type, its default, and what is allowed.

A parser raises ``ValueError`` with what was given, never a token or a secret, and what is allowed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.config.token_file import NAME
from app.config.tokens import digest_of

PREFIX = "SITESWAP_"
SECRET = "SECRET_"

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIZE = re.compile(r"([0-9]{1,12}) ?(B|KB|MB|GB)?", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_MOST_THREADS = 1_000
_LONGEST_QUEUE = 1_000_000
_DURATION = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


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
    """Who runs async flows: ``kind`` is ``threads`` or ``celery``."""

    kind: str
    threads: int = 0
    """How many at once in each worker; celery's own workers decide for themselves."""


def _folder(text: str, root: Path) -> Path:
    return root / Path(text).expanduser()


def _optional_folder(text: str, root: Path) -> Path | None:
    return _folder(text, root) if text else None


def _store(text: str, root: Path) -> StoreAddress:
    scheme, colon, path = text.partition(":")
    if text == "memory:":
        return StoreAddress("memory")
    if scheme == "file" and path:
        return StoreAddress("file", path=_folder(path, root))
    if scheme in ("redis", "rediss") and colon:
        return StoreAddress("redis", url=_url(text, "redis://HOST:6379/0"))
    # Only the part before the colon: what follows may hold a password.
    raise ValueError(
        f"{scheme + colon!r} is not a store; write file:PATH, redis://HOST:6379/0 or memory:"
    )


def _executor(text: str, _root: Path) -> ExecutorChoice:
    kind, _, count = text.partition(":")
    if text == "celery":
        return ExecutorChoice("celery")
    if kind != "threads" or not re.fullmatch(r"[0-9]{0,6}", count) or text.endswith(":"):
        raise ValueError(f"{text!r} is not an executor; write threads, threads:N or celery")
    threads = int(count or 32)
    if not 1 <= threads <= _MOST_THREADS:
        raise ValueError(f"{threads} threads are outside of 1 to {_MOST_THREADS}")
    return ExecutorChoice("threads", threads)


def _broker(text: str, _root: Path) -> str | None:
    scheme, colon, _ = text.partition(":")
    if not text:
        return None
    if scheme not in ("redis", "rediss", "amqp", "amqps"):
        raise ValueError(
            f"{scheme + colon!r} is not a broker; write redis://HOST:6379/1 or amqp://HOST:5672//"
        )
    return _url(text, f"{scheme}://HOST:PORT/…")


def _url(text: str, example: str) -> str:
    """A URL with a host. Its problems are told without showing any of it: it may hold a password.

    Raises:
        ValueError: it is not one.
    """
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


def _tokens(text: str, _root: Path) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        name, equals, token = entry.partition("=")
        if not equals or not NAME.fullmatch(name):
            raise ValueError(f"entry {number} is not name=token, with a name such as crm or ci-2")
        if name in tokens:
            raise ValueError(f"the name {name} stands twice")
        if not re.fullmatch(r"[!-~]+", token):
            raise ValueError(f"the token of {name} must be printable ASCII without spaces")
        tokens[name] = digest_of(token)
    if len(set(tokens.values())) != len(tokens):
        raise ValueError("two names have the same token; give each its own")
    return tokens


def _either(one: str, other: str) -> Callable[[str, Path], str]:
    def parse(text: str, _root: Path) -> str:
        if text not in (one, other):
            raise ValueError(f"{text!r} is neither {one} nor {other}")
        return text

    return parse


def _size(smallest: str, largest: str) -> Callable[[str, Path], int]:
    def in_bytes(text: str) -> int:
        match = _SIZE.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not a size; write bytes, or a number with KB, MB or GB")
        return int(match[1]) * _UNITS[(match[2] or "B").upper()]

    def parse(text: str, _root: Path) -> int:
        if not in_bytes(smallest) <= (size := in_bytes(text)) <= in_bytes(largest):
            raise ValueError(f"{text!r} is outside of {smallest} to {largest}")
        return size

    return parse


def _duration(shortest: str, longest: str) -> Callable[[str, Path], float]:
    def seconds(text: str) -> float:
        match = _DURATION.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not a duration; write a number with s, m, h or d")
        return float(int(match[1]) * _SECONDS[match[2]])

    def parse(text: str, _root: Path) -> float:
        if not seconds(shortest) <= (value := seconds(text)) <= seconds(longest):
            raise ValueError(f"{text!r} is outside of {shortest} to {longest}")
        return value

    return parse


def _count(text: str, _root: Path) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= _LONGEST_QUEUE:
        raise ValueError(f"{text!r} is not a number of runs from 1 to {_LONGEST_QUEUE}")
    return int(text)


def _names(text: str, _root: Path) -> tuple[str, ...]:
    names = tuple(filter(None, map(str.strip, text.split(","))))
    for name in names:
        if not VARIABLE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a variable; write NAME,OTHER_NAME")
        if name == f"{PREFIX}TOKENS" or name.startswith(PREFIX + SECRET):
            raise ValueError(
                f"{name} may not be read as env, which is not masked; "
                f"flows read {PREFIX}{SECRET}NAME as secrets.NAME"
            )
    return names


def _networks(text: str, _root: Path) -> tuple[Network, ...]:
    return tuple(map(_network, filter(None, map(str.strip, text.split(",")))))


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


def _switch(text: str, _root: Path) -> bool:
    if text not in ("on", "off"):
        raise ValueError(f"{text!r} is neither on nor off")
    return text == "on"


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its name after the prefix, its default text, its parser.

    The parser raises ``ValueError`` with what was given and what is allowed.
    """

    name: str
    default: str
    parse: Callable[[str, Path], Any]


VARIABLES: Mapping[str, Variable] = {
    "flows_dir": Variable("FLOWS_DIR", "flows", _folder),
    "store_address": Variable("STORE", "file:instance/runs.db", _store),
    "executor": Variable("EXECUTOR", "threads", _executor),
    "broker": Variable("BROKER", "", _broker),
    "queue_size": Variable("QUEUE_SIZE", "1000", _count),
    "lease": Variable("LEASE", "15s", _duration("1s", "10m")),
    "retention": Variable("RETENTION", "30d", _duration("1m", "3650d")),
    "retention_runs": Variable("RETENTION_RUNS", "100000", _count),
    "tokens_file": Variable("TOKENS_FILE", "instance/tokens.yaml", _folder),
    "tokens": Variable("TOKENS", "", _tokens),
    "http_status": Variable("HTTP_STATUS", "real", _either("real", "always-200")),
    "language": Variable("LANGUAGE", "zh", _either("zh", "en")),
    "max_body_bytes": Variable("MAX_BODY_BYTES", "1MB", _size("1KB", "1GB")),
    "max_response_bytes": Variable("MAX_RESPONSE_BYTES", "10MB", _size("1KB", "1GB")),
    "env": Variable("ENV", "", _names),
    "secrets_dir": Variable("SECRETS_DIR", "", _optional_folder),
    "private_networks": Variable("PRIVATE_NETWORKS", "", _networks),
    "example_api": Variable("EXAMPLE_API", "on", _switch),
    "python_steps": Variable("PYTHON_STEPS", "off", _switch),
    "python_memory": Variable("PYTHON_MEMORY", "512MB", _size("128MB", "100GB")),
}
"""Field of :class:`Settings` → the variable it is read from."""
