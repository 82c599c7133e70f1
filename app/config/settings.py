"""Every setting, read once from the environment and checked before anything starts.

A wrong value stops the start, and all wrong values are told at once. An unknown name is only worth
a warning: it may be meant for a later version. An empty value counts as unset, because that is what
``NAME=${NAME:-}`` in a compose file or a unit file means.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from app.config import values
from app.config.secrets import NAME as SECRET_NAME
from app.config.values import PREFIX, SECRET, ExecutorChoice, Network, StoreAddress
from app.errors import SettingsError, install


class Setting(NamedTuple):
    """How a field of :class:`Settings` is read; its variable is its name in capitals."""

    default: str
    """The text where the environment has none."""
    parse: Callable[[str, Path], Any]


def setting(default: str, parse: Callable[[str, Path], Any]) -> dict[str, Setting]:
    """The metadata of a field that is a setting."""
    return {"setting": Setting(default, parse)}


def _is_installed(library: str) -> bool:
    """Whether a library can be imported."""
    return importlib.util.find_spec(library) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. Sizes are bytes, paths are absolute, durations seconds.

    Its ``repr`` shows no value of ``env`` and ``secrets``; of a token only a digest is ever kept.
    """

    flows_dir: Path = field(metadata=setting("flows", values.path))
    """The folder of the flow files."""
    store: StoreAddress = field(metadata=setting("file:instance/runs.db", values.store))
    """Where the runs are kept."""
    executor: ExecutorChoice = field(metadata=setting("threads", values.executor))
    """What runs async flows."""
    broker: str | None = field(repr=False, metadata=setting("", values.broker))
    """The URL of Celery's broker; it may hold a password."""
    queue_size: int = field(metadata=setting("1000", values.count))
    """How many accepted runs may wait for their turn."""
    lease: float = field(metadata=setting("15s", values.duration("1s", "10m")))
    """How long a process may send no heartbeat before others take over its runs."""
    retention: float = field(metadata=setting("30d", values.duration("1m", "3650d")))
    """How long an ended run can be polled."""
    retention_runs: int = field(metadata=setting("100000", values.count))
    """How many ended runs are kept at most."""
    tokens_file: Path = field(metadata=setting("instance/tokens.yaml", values.path))
    """The file of the named tokens."""
    tokens: Mapping[str, str] = field(repr=False, metadata=setting("", values.tokens))
    """Tokens of the environment: name → SHA-256 hex digest."""
    http_status: str = field(metadata=setting("real", values.either("real", "always-200")))
    """Which HTTP status an error is answered with."""
    language: str = field(metadata=setting("zh", values.either("zh", "en")))
    """Of the words in ``errorMsg`` that are ours."""
    max_body_bytes: int = field(metadata=setting("1MB", values.size("1KB", "1GB")))
    """The largest request body."""
    max_response_bytes: int = field(metadata=setting("10MB", values.size("1KB", "1GB")))
    """The largest response that a step takes from another server."""
    env: Mapping[str, str] = field(repr=False, metadata=setting("", values.names))
    """What flows read as ``env.NAME``: the listed variables that are set."""
    secrets_dir: Path | None = field(metadata=setting("", values.optional_path))
    """A folder of files, each of which holds a secret."""
    private_networks: tuple[Network, ...] = field(metadata=setting("", values.networks))
    """Networks that a url which depends on data may lead to, although they are not public."""
    example_api: bool = field(metadata=setting("on", values.switch))
    """Whether the example APIs are served."""
    python_steps: bool = field(metadata=setting("off", values.switch))
    """Whether the authors of flows are trusted with code."""
    python_memory: int = field(metadata=setting("512MB", values.size("128MB", "100GB")))
    """Address space of each process that runs their code."""
    secrets: Mapping[str, str] = field(repr=False)
    """What flows read as ``secrets.NAME``; to be masked wherever it turns up."""
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

        ``is_installed`` says whether an optional library can be imported.

        Raises:
            SettingsError: some values are wrong. The message has a line for each of them, which
                names the setting, what was given (never a token or a secret) and what is allowed.
        """
        found: dict[str, Any] = {}
        issues: list[str] = []
        for name, (default, parse) in SETTINGS.items():
            variable = variable_of(name)
            try:
                found[name] = parse(environ.get(variable, "").strip() or default, root)
            except ValueError as error:
                issues.append(f"{variable}: {error}")
        secrets = {
            variable.removeprefix(SECRET): value
            for variable, value in environ.items()
            if variable.startswith(SECRET) and value
        }
        issues += [*_misnamed(secrets), *_contradictions(found, is_installed)]
        if issues:
            raise SettingsError("\n".join(issues))
        listed = found.pop("env")
        return cls(
            **found,
            env={name: environ[name] for name in listed if name in environ},
            secrets=secrets,
            warnings=tuple(_warnings(environ, listed, found)),
        )


SETTINGS: Mapping[str, Setting] = {
    each.name: each.metadata["setting"] for each in fields(Settings) if each.metadata
}
"""Each field that is read from a variable of its own."""


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


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
    if settings.store.kind == "memory" and workers > 1:
        raise SettingsError(
            f"{PREFIX}STORE: memory: keeps runs inside one process, but {workers} workers would "
            "start; set WEB_CONCURRENCY=1, or keep the runs in a file with "
            f"{PREFIX}STORE=file:instance/runs.db"
        )


def _contradictions(found: Mapping[str, Any], is_installed: Callable[[str], bool]) -> Iterator[str]:
    """What is wrong with good values that do not go together; a bad value is not in ``found``."""
    store, executor = found.get("store"), found.get("executor")
    if store is not None and store.kind == "redis" and not is_installed("redis"):
        yield f"{PREFIX}STORE: a Redis store needs a library; {install('redis')}"
    if executor is None or executor.kind != "celery":
        return
    if not is_installed("celery"):
        yield f"{PREFIX}EXECUTOR: celery is not installed; {install('celery')}"
    if "broker" in found and found["broker"] is None:
        yield (
            f"{PREFIX}EXECUTOR: celery needs a broker; "
            f"set {PREFIX}BROKER=redis://HOST:6379/1 or amqp://HOST:5672//"
        )
    if store is not None and store.kind == "memory":
        yield (
            f"{PREFIX}STORE: memory: keeps runs inside one process, where celery's workers "
            f"cannot see them; set {PREFIX}STORE=redis://HOST:6379/0"
        )


def _misnamed(secrets: Mapping[str, str]) -> Iterator[str]:
    for name in secrets:
        if not SECRET_NAME.fullmatch(name):
            yield (
                f"{SECRET}{name}: flows cannot write secrets.{name}; "
                "the name may hold letters, digits and _, and begins with a letter or _"
            )


def _warnings(
    environ: Mapping[str, str], listed: tuple[str, ...], found: Mapping[str, Any]
) -> Iterator[str]:
    yield from _unknown(environ)
    for name in listed:
        if name not in environ:
            yield f"{PREFIX}ENV lists {name}, but it is not set"
    if found["broker"] is not None and found["executor"].kind != "celery":
        yield f"{PREFIX}BROKER is not used without {PREFIX}EXECUTOR=celery"


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = list(map(variable_of, SETTINGS))
    for variable in sorted(environ):
        if variable in known or variable.startswith(SECRET):
            continue
        if (name := variable.upper()).startswith(PREFIX):
            yield f"{variable} is not a setting{_suggestion(name, known)}"


def _suggestion(variable: str, known: list[str]) -> str:
    name = variable.removeprefix(PREFIX)
    names = [each.removeprefix(PREFIX) for each in known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    kind, _, secret = name.partition("_")
    if secret and difflib.get_close_matches(kind, ["SECRET"], cutoff=0.75):
        close = [f"SECRET_{secret}"]
    return f"; did you mean {PREFIX}{close[0]}?" if close else ""
