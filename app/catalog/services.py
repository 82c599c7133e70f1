"""What flows use of the world around them: ``services.yaml`` and the secrets, as they are now.

Both are looked at again and again, and each is always what it was when it was last good.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.config.secrets import Secrets
from app.expression import Scope
from app.language.environment import Environment
from app.language.services.file import FILE_NAME, LoadedServices, ServicesFile, load_services
from app.language.services.service import Service
from app.yaml.diagnostics import Diagnostic, Severity, visible

_Signature = tuple[int, int, int] | None
"""Modification time in ns, size, inode of a file; ``None`` if it is not there."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the services file was when it was read."""

    signatures: Mapping[Path, _Signature]
    """Of the file, and of the files that it names."""
    secrets: frozenset[str]
    loaded: LoadedServices


class _Scope:
    """What the texts of ``services.yaml`` can read."""

    inputs: Mapping[str, Any] = {}
    steps = vars = request = flow = inputs
    item = index = error = None

    def __init__(self, env: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self.env = env
        self.secrets = secrets

    def now(self) -> datetime:
        return datetime.now(UTC)

    def uuid(self) -> str:
        return str(uuid.uuid4())


class Services:
    """The services, databases and secrets of one process.

    ``content`` is what ``services.yaml`` held when it was last good: one immutable snapshot or the
    next. ``surroundings`` are the names that flows may use.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        secrets: Secrets,
        log: logging.Logger,
        *,
        runs_python: bool | None = None,
    ) -> None:
        """``folder`` is that of the flows; ``env`` holds what flows may read as ``env.NAME``."""
        self._env = env
        self._log = log
        self._state: _State | None = None
        self.folder = folder
        self.path = folder / FILE_NAME
        self.secrets = secrets
        self.content = ServicesFile()
        self._runs_python = runs_python
        self.environment = self._surroundings()

    @property
    def scope(self) -> Scope:
        """What the texts of ``services.yaml`` can read now."""
        return _Scope(self._env, self.secrets.values)

    def service(self, name: str) -> Service | None:
        """A service by its name, as it is now."""
        return self.content.services.get(name)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is wrong with ``services.yaml`` as it is now."""
        return self._state.loaded.diagnostics if self._state else ()

    @property
    def is_broken(self) -> bool:
        """Whether ``services.yaml`` as it is now cannot be used."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)

    def refresh(self) -> Environment:
        """Read what has changed; returns the names that flows may use now."""
        self.secrets.refresh()
        if self._has_changed():
            self._load()
        self.environment = self._surroundings()
        return self.environment

    @property
    def readable(self) -> Environment:
        """What there is for ``services.yaml``, and for flows without it."""
        return Environment(
            env=frozenset(self._env),
            secrets=frozenset(self.secrets.values),
            runs_python=self._runs_python,
        )

    def check(self, folder: Path, data: bytes) -> LoadedServices:
        """What becomes of a services file with this content in a folder."""
        return load_services(folder, data, self.readable, self.scope)

    def _has_changed(self) -> bool:
        state = self._state
        if state is None or state.secrets != frozenset(self.secrets.values):
            return True
        return _signatures(state.signatures) != state.signatures

    def _load(self) -> None:
        # Taken before the content: a change in between is seen as a change next time.
        before, secrets = _signatures([self.path]), frozenset(self.secrets.values)
        data = self._read()
        loaded = LoadedServices(ServicesFile(), ())
        if isinstance(data, Diagnostic):
            loaded = LoadedServices(None, (data,), None, None)
        elif data is not None:
            loaded = self.check(self.folder, data)
        self._state = _State({**_signatures(loaded.read), **before}, secrets, loaded)
        if loaded.content is not None:
            self.content = loaded.content
        else:
            self._report(loaded.diagnostics)

    def _read(self) -> bytes | Diagnostic | None:
        """The content; ``None`` where there is no such file: nothing is named then."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"the file cannot be read: {error.strerror}"
            return Diagnostic(1, 1, Severity.ERROR, "unreadable", message)

    def _report(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Say it once, without the lines of the file: a secret may be written there."""
        shown = f"{self.folder.name}/{FILE_NAME}"
        found = "\n".join(_headline(shown, diagnostic) for diagnostic in diagnostics)
        self._log.error("%s has errors; what it said before is still used\n%s", shown, found)

    def _surroundings(self) -> Environment:
        """The names of the last good file, and those of one that is broken: one message a mistake.

        What flows name of a file that nobody can read is not known.
        """
        loaded = self._state.loaded if self._state else LoadedServices(None, (), None, None)
        content = self.content
        return replace(
            self.readable,
            services=_together(loaded.services, content.services),
            databases=_together(loaded.databases, content.databases),
            runs_python=self._runs_python,
        )


def _headline(path: str, diagnostic: Diagnostic) -> str:
    place = f"{path}:{diagnostic.line}:{diagnostic.column}"
    return visible(f"{place}: {diagnostic.severity} {diagnostic.code} {diagnostic.message}")


def _together(names: frozenset[str] | None, more: Iterable[str]) -> frozenset[str] | None:
    return None if names is None else names.union(more)


def _signatures(paths: Iterable[Path]) -> dict[Path, _Signature]:
    return {path: _signature(path) for path in paths}


def _signature(path: Path) -> _Signature:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
