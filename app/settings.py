"""Every setting, read once from the environment and checked before anything starts.

A wrong value stops the start, and all wrong values are told at once. A name nobody knows is only
worth a warning: it may be meant for a later version. An empty value counts as unset, because that
is what ``NAME=${NAME:-}`` in a compose file or a unit file means.
"""

from __future__ import annotations

import difflib
import importlib.util
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.errors import SettingsError
from app.token_file import NAME
from app.tokens import digest_of

PREFIX = "SITESWAP_"
SECRET = "SECRET_"

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
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


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """Who runs async flows: ``kind`` is ``threads`` or ``celery``."""

    kind: str
    threads: int = 0
    """How many at once in each worker; celery's own workers decide for themselves."""


def _is_installed(library: str) -> bool:
    """Whether a library can be imported."""
    return importlib.util.find_spec(library) is not None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decided. Sizes are bytes, paths are absolute.

    Its ``repr`` shows no value of ``env`` and ``secrets``; of a token only a digest is ever kept.
    """

    flows_dir: Path
    store_address: StoreAddress
    executor: ExecutorChoice
    broker: str | None = field(repr=False)
    """The URL of Celery's broker; it may hold a password."""
    queue_size: int
    """How many accepted runs may wait for their turn."""
    lease: float
    """Seconds without a sign of life after which others take a process's runs over."""
    retention: float
    """Seconds for which an ended run can be polled."""
    retention_runs: int
    """How many ended runs are kept at most."""
    tokens_file: Path
    tokens: Mapping[str, str] = field(repr=False)
    """The inline tokens: name → SHA-256 hex digest."""
    http_status: str
    """``real`` or ``always-200``."""
    max_body_bytes: int
    max_response_bytes: int
    env: Mapping[str, str] = field(repr=False)
    """What flows read as ``env.NAME``: only names that are listed and set."""
    example_api: bool
    python_steps: bool
    """Whether the authors of flows are trusted with code."""
    python_memory: int
    """Address space of each process that runs it."""
    private_networks: tuple[Network, ...]
    """Networks that a url which depends on data may lead to, although they are not public."""
    secrets: Mapping[str, str] = field(repr=False)
    """What flows read as ``secrets.NAME``; to be masked wherever it turns up."""
    secrets_dir: Path | None = None
    """The folder of files that hold more of them."""
    warnings: tuple[str, ...] = ()
    """Sentences for the operator; nothing in them stops the start."""

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str],
        *,
        root: Path,
        is_installed: Callable[[str], bool] = _is_installed,
    ) -> Settings:
        """Read the settings; a relative path in them starts at the project folder ``root``.

        ``is_installed`` says whether a library that is not always there can be imported.

        Raises:
            SettingsError: some values are wrong. The message has a line for each of them, which
                names the setting, what was given (never a token or a secret) and what is allowed.
        """
        values, problems = _read_all(environ, root)
        problems.extend(_misfits(values, is_installed))
        if problems:
            raise SettingsError("\n".join(problems))
        env, missing = _pick(environ, values.pop("env"))
        return cls(
            **values,
            env=env,
            secrets=_secrets(environ),
            warnings=(*_unknown(environ), *missing, *_unused(values)),
        )


def check_serving(settings: Settings, *, workers: int) -> None:
    """Refuse what can be read but cannot be served with this many worker processes.

    Raises:
        SettingsError: the folder of the flows or of the secrets is not there, or the runs would be
            kept in the memory of one worker and polled from another.
    """
    if not settings.flows_dir.is_dir():
        raise SettingsError(
            f"{PREFIX}FLOWS_DIR: {settings.flows_dir} is not a folder; "
            "make it, or name the folder of your flows"
        )
    if settings.secrets_dir is not None and not settings.secrets_dir.is_dir():
        raise SettingsError(
            f"{PREFIX}SECRETS_DIR: {settings.secrets_dir} is not a folder; "
            "mount it, or name the folder of your secrets"
        )
    if settings.store_address.kind == "memory" and workers > 1:
        raise SettingsError(
            f"{PREFIX}STORE: memory: keeps runs inside one process, but {workers} workers would "
            "start; set WEB_CONCURRENCY=1, or keep the runs in a file with "
            f"{PREFIX}STORE=file:instance/runs.db"
        )


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


def _http_status(text: str, _root: Path) -> str:
    if text not in ("real", "always-200"):
        raise ValueError(f"{text!r} is neither real nor always-200")
    return text


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
        if not _VARIABLE_NAME.fullmatch(name):
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
    "http_status": Variable("HTTP_STATUS", "real", _http_status),
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


def _read_all(environ: Mapping[str, str], root: Path) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field_name, variable in VARIABLES.items():
        text = environ.get(PREFIX + variable.name, "").strip() or variable.default
        try:
            values[field_name] = variable.parse(text, root)
        except ValueError as error:
            problems.append(f"{PREFIX}{variable.name}: {error}")
    problems.extend(_misnamed_secrets(environ))
    return values, problems


def _misfits(values: Mapping[str, Any], is_installed: Callable[[str], bool]) -> Iterator[str]:
    """What is wrong with good values that do not go together; one that was bad is not there."""
    store, executor = values.get("store_address"), values.get("executor")
    if store is not None and store.kind == "redis" and not is_installed("redis"):
        yield f"{PREFIX}STORE: a Redis store needs a library; write pip install 'siteswap[redis]'"
    if executor is None or executor.kind != "celery":
        return
    if not is_installed("celery"):
        yield f"{PREFIX}EXECUTOR: celery is not installed; write pip install 'siteswap[celery]'"
    if "broker" in values and values["broker"] is None:
        yield (
            f"{PREFIX}EXECUTOR: celery needs a broker; "
            f"set {PREFIX}BROKER=redis://HOST:6379/1 or amqp://HOST:5672//"
        )
    if store is not None and store.kind == "memory":
        yield (
            f"{PREFIX}STORE: memory: keeps runs inside one process, where celery's workers "
            f"cannot see them; set {PREFIX}STORE=redis://HOST:6379/0"
        )


def _unused(values: Mapping[str, Any]) -> Iterator[str]:
    if values["broker"] is not None and values["executor"].kind != "celery":
        yield f"{PREFIX}BROKER is not used without {PREFIX}EXECUTOR=celery"


def _secrets(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        variable.removeprefix(PREFIX + SECRET): value
        for variable, value in environ.items()
        if variable.startswith(PREFIX + SECRET) and value
    }


def _misnamed_secrets(environ: Mapping[str, str]) -> Iterator[str]:
    for name in _secrets(environ):
        if not _VARIABLE_NAME.fullmatch(name):
            yield (
                f"{PREFIX}{SECRET}{name}: flows cannot write secrets.{name}; "
                "the name may hold letters, digits and _, and begins with a letter or _"
            )


def _pick(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    found = {name: environ[name] for name in names if name in environ}
    missing = [
        f"{PREFIX}ENV lists {name}, but it is not set" for name in names if name not in environ
    ]
    return found, missing


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = [variable.name for variable in VARIABLES.values()]
    for variable in sorted(environ):
        name = variable.upper().removeprefix(PREFIX)
        is_ours = variable.upper().startswith(PREFIX)
        is_fine = variable.startswith(PREFIX) and (name in known or name.startswith(SECRET))
        if is_ours and not is_fine:
            yield f"{variable} is not a setting{_suggestion(name, known)}"


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    kind, _, secret = name.partition("_")
    if secret and difflib.get_close_matches(f"{kind}_", [SECRET], cutoff=0.75):
        close = [SECRET + secret]
    return f"; did you mean {PREFIX}{close[0]}?" if close else ""
