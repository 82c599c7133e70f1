"""Every setting, read once from the environment and checked before anything starts.

A wrong value stops the start, and all wrong values are told at once. A name nobody knows is only
worth a warning: it may be meant for a later version. An empty value counts as unset, because that
is what ``NAME=${NAME:-}`` in a compose file or a unit file means.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.config.variables import (
    PREFIX,
    SECRET,
    VARIABLE_NAME,
    VARIABLES,
    ExecutorChoice,
    Network,
    StoreAddress,
)
from app.errors import SettingsError, install


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
    language: str
    """``zh`` or ``en``: of the words in ``errorMsg`` that are ours."""
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
        yield f"{PREFIX}STORE: a Redis store needs a library; {install('redis')}"
    if executor is None or executor.kind != "celery":
        return
    if not is_installed("celery"):
        yield f"{PREFIX}EXECUTOR: celery is not installed; {install('celery')}"
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
        if not VARIABLE_NAME.fullmatch(name):
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
