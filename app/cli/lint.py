"""``siteswap lint``: what is wrong with the files of a project, where, and what to write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import click

from app.catalog.catalog import files_of, flow_files
from app.catalog.loader import Draft, read_flow
from app.catalog.services import Services
from app.cli.output import coloured
from app.language.environment import CallableFlows, Environment
from app.language.services.file import FILE_NAME
from app.yaml.diagnostics import Diagnostic, Severity, render, to_json


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one file, and its text, which they quote."""

    file: Path
    text: str
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> int:
        """How many of the findings are errors."""
        return sum(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


def lint(paths: Sequence[Path], services: Services) -> list[Report]:
    """Check files, and all files of folders: flows, and the ``services.yaml`` next to them.

    A flow may call the flows of its own folder, and those of the flows folder.

    Raises:
        ClickException: a file cannot be read.
    """
    services.secrets.refresh()
    files = [file for path in paths for file in _files(path)]
    drafts = {file: read_draft(file) for file in files if file.name != FILE_NAME}
    environments = _Environments(services, list(drafts.values()))
    return [
        _of_flow(file, drafts[file], environments)
        if file in drafts
        else _of_services(file, services)
        for file in files
    ]


def _of_flow(file: Path, draft: Draft, environments: _Environments) -> Report:
    environment = environments(file.absolute().parent.parent)
    return Report(file, draft.text, draft.check(environment).diagnostics)


def _of_services(file: Path, services: Services) -> Report:
    data = read_bytes(file)
    diagnostics = services.check(file.absolute().parent, data).diagnostics
    return Report(file, data.decode("utf-8", "replace"), diagnostics)


class _Environments:
    """What the flows of each folder may use; looked up once a folder."""

    def __init__(self, services: Services, linted: Sequence[Draft]) -> None:
        self._services = services
        self._linted = linted
        self._known: dict[Path, Environment] = {}

    def __call__(self, folder: Path) -> Environment:
        if folder not in self._known:
            environment = self._look(folder)
            self._known[folder] = replace(environment, flows=self._callable(folder, environment))
        return self._known[folder]

    def _callable(self, folder: Path, environment: Environment) -> CallableFlows | None:
        linted = [draft for draft in self._linted if draft.path.parent.parent == folder]
        if not any(draft.calls for draft in linted):
            return None
        return flows_to_call(folder, linted, self._served, environment)

    @cached_property
    def _served(self) -> list[Draft]:
        folder = self._services.folder
        files = _files(folder) if folder.is_dir() else ()
        return [read_draft(file) for file in files if file.name != FILE_NAME]

    def _look(self, folder: Path) -> Environment:
        """Without a ``services.yaml`` the services of a folder are unknown.

        Only in the flows folder itself no such file means that there are none.
        """
        file, readable = folder / FILE_NAME, self._services.readable
        if file.is_file():
            loaded = self._services.check(folder, read_bytes(file))
            return replace(readable, services=loaded.services, databases=loaded.databases)
        if folder == self._services.folder:
            return replace(readable, services=frozenset(), databases=frozenset())
        return readable


def _files(path: Path) -> Iterator[Path]:
    """The files of a flows folder, of one flow's folder, or the file itself."""
    if not path.is_dir():
        yield path
        return
    if (path / FILE_NAME).is_file():
        yield path / FILE_NAME
    found = (Path(file) for file in [*flow_files(path), *files_of(path)])
    yield from sorted(file for file in found if file.name != FILE_NAME)


def flows_to_call(
    home: Path, linted: Sequence[Draft], others: Iterable[Draft], environment: Environment
) -> CallableFlows:
    """What the flows of the folder ``home`` can call: those next to them, and ``others``.

    That is also one with mistakes, if it is linted: they are reported in their own file.

    Raises:
        ClickException: a file cannot be read.
    """
    named = {draft.name: draft for draft in [*others, *linted] if draft.name}
    told = {draft.name for draft in linted if draft.flow}
    reached = _reached(home, linted, named)
    flows = CallableFlows(
        {name: draft.flow for name, draft in named.items() if draft.flow},
        {name: draft.calls for name, draft in named.items()},
    )
    untold = {name: named[name] for name in reached - told}
    return CallableFlows(
        flows.flows, flows.calls, _broken(untold, replace(environment, flows=flows))
    )


def _reached(home: Path, linted: Sequence[Draft], named: dict[str, Draft]) -> set[str]:
    """What these call, also through others; ``named`` gets those next to them."""
    told = {draft.name for draft in linted}
    reached: set[str] = set()
    pending = [name for draft in linted for name in draft.calls]
    while pending:
        name = pending.pop()
        if name not in reached | told and (file := home / f"{name}.yaml").is_file():
            named[name] = read_draft(file)
        if name in named and name not in reached:
            reached.add(name)
            pending += named[name].calls
    return reached


def _broken(drafts: Mapping[str, Draft], environment: Environment) -> set[str]:
    """Those that have errors themselves, or call one that has."""
    broken = {name for name, draft in drafts.items() if draft.check(environment).flow is None}
    while more := {name for name in drafts.keys() - broken if drafts[name].calls & broken}:
        broken |= more
    return broken


def read_draft(file: Path) -> Draft:
    """A flow file.

    Raises:
        ClickException: it cannot be read.
    """
    return read_flow(file.absolute(), read_bytes(file))


def read_bytes(file: Path) -> bytes:
    """The content of a file.

    Raises:
        ClickException: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None


def as_json(reports: Sequence[Report]) -> list[dict[str, object]]:
    """All findings, for tools."""
    return [to_json(str(report.file), each) for report in reports for each in report.diagnostics]


def as_text(reports: Sequence[Report]) -> str:
    """All findings for people, and how many there are."""
    lines = [
        _painted(render(str(report.file), report.text, diagnostic), diagnostic.severity)
        for report in reports
        for diagnostic in report.diagnostics
    ]
    errors = sum(report.errors for report in reports)
    warnings = sum(len(report.diagnostics) for report in reports) - errors
    counts = (_count(errors, "error"), _count(warnings, "warning"))
    return "\n".join([*lines, f"{_count(len(reports), 'file')}: {', '.join(counts)}"])


def _painted(text: str, severity: Severity) -> str:
    """The headline's severity in its colour."""
    before, found, after = text.partition(f": {severity} ")
    return f"{before}: {coloured(severity)} {after}" if found else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
