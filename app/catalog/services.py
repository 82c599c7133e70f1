"""What flows use of this process: ``services.yaml`` and the secrets, each as it was last good."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.config.secrets import Secrets
from app.config.watched import WatchedFiles
from app.expression import Scope
from app.language.environment import Environment
from app.language.services.file import FILE_NAME, LoadedServices, ServicesFile, load_services
from app.language.services.service import Service
from app.yaml.diagnostics import Diagnostic, Severity, visible

_NOT_LOADED = LoadedServices(None, (), None, None)


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
    next.
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
        self._runs_python = runs_python
        self._files = WatchedFiles()
        self._secret_names: Collection[str] = ()
        self._loaded = _NOT_LOADED
        """What became of ``services.yaml`` when it was last read."""
        self.folder = folder
        self.path = folder / FILE_NAME
        self.secrets = secrets
        self.content = ServicesFile()

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
        return self._loaded.diagnostics

    @property
    def is_broken(self) -> bool:
        """Whether ``services.yaml`` as it is now cannot be used."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)

    def refresh(self) -> Environment:
        """Read what has changed; returns the names that flows may use now."""
        self.secrets.refresh()
        if self._has_changed():
            self._load()
        return self._names()

    @property
    def readable(self) -> Environment:
        """What ``services.yaml`` may use, and flows where there is no such file."""
        return Environment(
            env=frozenset(self._env),
            secrets=frozenset(self.secrets.values),
            runs_python=self._runs_python,
        )

    def check(self, folder: Path, data: bytes) -> LoadedServices:
        """Read a services file with this content, as if it were in that folder."""
        return load_services(folder, data, self.readable, self.scope)

    def _has_changed(self) -> bool:
        return (
            self._loaded is _NOT_LOADED
            or self._secret_names != self.secrets.values.keys()
            or self._files.have_changed()
        )

    def _load(self) -> None:
        self._secret_names = self.secrets.values.keys()
        self._files = WatchedFiles()
        self._files.remember([self.path])
        self._loaded = loaded = self._read()
        self._files.remember(loaded.read)
        if loaded.content is not None:
            self.content = loaded.content
        else:
            self._report(loaded.diagnostics)

    def _read(self) -> LoadedServices:
        try:
            return self.check(self.folder, self.path.read_bytes())
        except FileNotFoundError:
            return LoadedServices(ServicesFile(), ())
        except OSError as error:
            message = f"the file cannot be read: {error.strerror}"
            unreadable = Diagnostic(1, 1, Severity.ERROR, "unreadable", message)
            return replace(_NOT_LOADED, diagnostics=(unreadable,))

    def _report(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Say it once, without the lines of the file: a secret may be written there."""
        shown = f"{self.folder.name}/{FILE_NAME}"
        found = "\n".join(_headline(shown, diagnostic) for diagnostic in diagnostics)
        self._log.error("%s has errors; what it said before is still used\n%s", shown, found)

    def _names(self) -> Environment:
        """The names of the last good file, and those of a broken one: it has its error already.

        The names in a file that cannot be read are unknown.
        """
        loaded, content = self._loaded, self.content
        return replace(
            self.readable,
            services=_together(loaded.services, content.services),
            databases=_together(loaded.databases, content.databases),
        )


def _headline(path: str, diagnostic: Diagnostic) -> str:
    place = f"{path}:{diagnostic.line}:{diagnostic.column}"
    return visible(f"{place}: {diagnostic.severity} {diagnostic.code} {diagnostic.message}")


def _together(names: frozenset[str] | None, more: Iterable[str]) -> frozenset[str] | None:
    return None if names is None else names.union(more)
