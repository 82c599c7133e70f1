"""Every flow version, compiled, and always the last good one.

``refresh`` compares the folder with what was read before and loads only what changed. Readers see
one immutable snapshot or the next, so a request never waits and never meets half a change.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath

from app.catalog.loader import Draft, Linked, identity, link, name_of, read_flow
from app.config.watched import WatchedFolder
from app.errors import FlowDisabled, FlowNotFound
from app.language.environment import Environment
from app.language.flow import Input
from app.language.names import uses_environment
from app.runtime.program import Program, split_source
from app.yaml.diagnostics import Diagnostic, Severity, render

SECRET_IN_FILE = "secret-in-file"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One flow file: ``program`` is its last good version, ``diagnostics`` are of the file now."""

    path: Path
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    calls: frozenset[str] = frozenset()
    """The flows that it calls, ``key/version``."""

    @property
    def name(self) -> str | None:
        """``key/version``, if the path names a flow."""
        return name_of(self.path)

    @property
    def is_broken(self) -> bool:
        """Whether the file as it is now cannot be served."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


class Catalog:
    """The flows of one folder, ``<folder>/<key>/<version>.yaml``."""

    def __init__(
        self, folder: Path, read_environment: Callable[[], Environment], log: logging.Logger
    ) -> None:
        """``read_environment`` returns what flows may use now."""
        self._parent = folder.parent
        self._files = WatchedFolder(folder, flow_files, log, what="flows folder")
        self._read_environment = read_environment
        self.environment = Environment()
        self._log = log
        self._entries: Mapping[str, CatalogEntry] = {}
        self._programs: Mapping[tuple[str, str], Program] = {}
        self._broken: frozenset[tuple[str, str]] = frozenset()

    def get(self, key: str, version: str) -> Program:
        """The program of a flow version.

        Raises:
            FlowNotFound: there is none, or its file never had a version without errors.
            FlowDisabled: it says ``enabled: false``.
        """
        program = self._programs.get((key, version))
        if program is None:
            broken = (key, version) in self._broken
            raise FlowNotFound("its file has errors, see `siteswap lint`" if broken else "")
        if not program.flow.enabled:
            raise FlowDisabled
        return program

    def pinned(
        self, key: str, version: str, digest: str, source: Callable[[], str | None]
    ) -> Program:
        """The program of the text that ``digest`` names, whatever the file says by now.

        ``source`` gives that text where the file has another.

        Raises:
            FlowNotFound: the text is gone, or cannot be run any more.
        """
        served = self._programs.get((key, version))
        if served is not None and served.digest == digest:
            return served
        text = source()
        if text is None:
            raise FlowNotFound("the text of the version that accepted this run is gone")
        return _compiled(key, version, text, self.environment.runs_python)

    def concurrency(self, key: str, version: str) -> int | None:
        """How many runs of a version may be under way at once; ``None`` if it is not there."""
        program = self._programs.get((key, version))
        return program.flow.concurrency if program else None

    def secret_inputs(
        self, key: str, version: str, digest: str, source: Callable[[], str | None]
    ) -> Mapping[str, Input]:
        """The inputs of an accepted run that are masked, by its text or its file.

        Arguments are as for :meth:`pinned`.

        Raises:
            FlowNotFound: neither is there any more.
        """
        try:
            return self.pinned(key, version, digest, source).flow.secret_inputs
        except FlowNotFound:
            served = self._programs.get((key, version))
            if served is None:
                raise
            return served.flow.secret_inputs

    def latest(self, key: str) -> str:
        """The highest version of a flow, ``v1`` if there is none."""
        numbers = (int(version[1:]) for known, version in self._programs if known == key)
        return f"v{max(numbers, default=1)}"

    def entries(self) -> list[CatalogEntry]:
        """Every flow file, in the order of their paths."""
        return sorted(self._entries.values(), key=lambda entry: entry.path)

    def refresh(self) -> bool:
        """Read new and changed files and forget removed ones; returns whether anything changed."""
        found = self._files.changes()
        if found is None:
            return False
        changed = found.changed | self._touched_by_environment(found.files)
        if not changed and not found.gone:
            return False
        with _uncollected():
            loaded = self._load(self._stale(changed, found.gone), found.files)
        self._publish({path: loaded.get(path) or self._entries[path] for path in found.files})
        self._files.remember(found)
        for path in found.gone:
            self._log.info("%s is gone; its flow is not served any more", self._shown(path))
        return True

    def _touched_by_environment(self, paths: Iterable[str]) -> set[str]:
        """The files whose diagnostics may be others now, if the environment has changed."""
        before, self.environment = self.environment, self._read_environment()
        if self.environment == before:
            return set()
        known = ((path, self._entries.get(path)) for path in paths)
        return {path for path, entry in known if entry and _depends_on_environment(entry)}

    def _stale(self, changed: Iterable[str], gone: Iterable[str]) -> list[str]:
        """What changed, and every flow that calls what changed or is gone, directly or not."""
        touched = {name_of(Path(path)) for path in [*changed, *gone]}
        stale = set(changed)
        rest = {p: e for p, e in self._entries.items() if e.calls and p not in stale | {*gone}}
        while callers := {path for path, entry in rest.items() if entry.calls & touched}:
            stale |= callers
            touched |= {rest.pop(path).name for path in callers}
        return sorted(stale)

    def _publish(self, entries: Mapping[str, CatalogEntry]) -> None:
        named = [(identity(entry.path), entry) for entry in entries.values()]
        self._broken = frozenset(name for name, entry in named if name and entry.is_broken)
        self._programs = {
            name: entry.program for name, entry in named if name and entry.program is not None
        }
        self._entries = entries

    def _load(self, paths: Iterable[str], found: Collection[str]) -> dict[str, CatalogEntry]:
        drafts = {path: self._read(Path(path)) for path in paths}
        served = {
            name: entry.program
            for path, entry in self._entries.items()
            if path in found and entry.program and (name := entry.name)
        }
        linked = link(list(drafts.values()), served, self.environment)
        return {
            path: self._entry(path, draft, result)
            for (path, draft), result in zip(drafts.items(), linked, strict=True)
        }

    def _entry(self, path: str, draft: Draft, linked: Linked) -> CatalogEntry:
        entry = CatalogEntry(Path(path), linked.program, linked.diagnostics, draft.calls)
        if entry.is_broken:
            before = self._entries.get(path)
            entry = replace(entry, program=before.program if before else None)
            self._report(path, draft.text, entry)
        return entry

    def _read(self, path: Path) -> Draft:
        try:
            data = path.read_bytes()
        except OSError as error:
            message = f"the file cannot be read: {error.strerror}"
            diagnostic = Diagnostic(1, 1, Severity.ERROR, "unreadable", message)
            return Draft(path, "", None, (diagnostic,), None)
        return read_flow(path, data)

    def _report(self, path: str, text: str, entry: CatalogEntry) -> None:
        kept = "its last good version is still served" if entry.program else "it is not served"
        # A log is read by more people than the file: it does not quote what may be a secret.
        quotable = {
            diagnostic: "" if diagnostic.code == SECRET_IN_FILE else text
            for diagnostic in entry.diagnostics
        }
        found = (render(self._shown(path), quoted, each) for each, quoted in quotable.items())
        self._log.error("%s has errors; %s\n%s", self._shown(path), kept, "\n".join(found))

    def _shown(self, path: str) -> str:
        return str(Path(path).relative_to(self._parent))


def _depends_on_environment(entry: CatalogEntry) -> bool:
    program = entry.program
    return bool(entry.diagnostics) or (program is not None and uses_environment(program.flow))


@lru_cache(maxsize=100)
def _compiled(key: str, version: str, source: str, runs_python: bool | None) -> Program:
    text, called = split_source(source)
    drafts = [
        read_flow(PurePath(f"{name}.yaml"), text)
        for name, text in {f"{key}/{version}": text, **called}.items()
    ]
    # A name that is not there any more fails the step that needs it, not an accepted run.
    environment = Environment(runs_python=runs_python)
    program = link(drafts, {}, environment)[0].program
    if program is None:
        raise FlowNotFound("the version that accepted this run cannot be run any more")
    return program


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, a thousand flows are loaded in two thirds of the time.

    What loading makes is kept, so there is nothing to collect.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def flow_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The flow files of every folder ``folder/<key>/``; hidden folders are passed over."""
    with os.scandir(folder) as keys:
        for key in keys:
            if not key.name.startswith(".") and key.is_dir():
                yield from files_of(key.path)


def files_of(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Every file of one flow's folder that is, or was meant to be, a version of it.

    Hidden files, editors' backups and tests (``v1.test.yaml``) are passed over.
    """
    with os.scandir(folder) as files:
        for file in files:
            if _is_flow_file(file.name) and file.is_file():
                yield file


def _is_flow_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) and not name.startswith(".") and ".test." not in name
