"""``flask flow lint``: what is wrong with the files of a project, where, and what to write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from app.catalog.catalog import files_of, flow_files
from app.catalog.loader import Draft
from app.catalog.services import Services
from app.cli.called import flows_to_call, read_bytes, read_draft
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


def lint(paths: Sequence[Path], outside: Services) -> list[Report]:
    """Check files, and all files of folders: flows, and the ``services.yaml`` beside them.

    A flow may call those of the folder that it stands in, and those of the flows folder.

    Raises:
        ClickException: a file cannot be read.
    """
    outside.secrets.refresh()
    files = [file for path in paths for file in _files(path)]
    drafts = {file: read_draft(file) for file in files if file.name != FILE_NAME}
    environment = _Around(outside, list(drafts.values()))
    return [
        _of_flow(file, drafts[file], environment) if file in drafts else _of_services(file, outside)
        for file in files
    ]


def _of_flow(file: Path, draft: Draft, environments: _Around) -> Report:
    environment = environments(file.absolute().parent.parent)
    return Report(file, draft.text, draft.check(environment).diagnostics)


def _of_services(file: Path, outside: Services) -> Report:
    data = read_bytes(file)
    diagnostics = outside.check(file.absolute().parent, data).diagnostics
    return Report(file, data.decode("utf-8", "replace"), diagnostics)


class _Around:
    """What the flows of a folder may use; found out once."""

    def __init__(self, outside: Services, linted: Sequence[Draft]) -> None:
        self._outside = outside
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
        folder = self._outside.folder
        files = _files(folder) if folder.is_dir() else ()
        return [read_draft(file) for file in files if file.name != FILE_NAME]

    def _look(self, folder: Path) -> Environment:
        """Nobody knows the services of a folder without a ``services.yaml``.

        In the flows folder itself, no such file means that there are none.
        """
        file, readable = folder / FILE_NAME, self._outside.readable
        if file.is_file():
            loaded = self._outside.check(folder, read_bytes(file))
            return replace(readable, services=loaded.services, databases=loaded.databases)
        if folder == self._outside.folder:
            return replace(readable, services=frozenset(), databases=frozenset())
        return readable


def _files(path: Path) -> Iterator[Path]:
    """The files of a flows folder, of one flow's folder, or the file itself."""
    if not path.is_dir():
        yield path
        return
    if (path / FILE_NAME).is_file():
        yield path / FILE_NAME
    found = (Path(file) for file, _ in [*flow_files(path), *files_of(path)])
    yield from sorted(file for file in found if file.name != FILE_NAME)


def as_json(reports: Sequence[Report]) -> str:
    """All findings as one JSON list, for tools."""
    rows = [to_json(str(report.file), each) for report in reports for each in report.diagnostics]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def as_text(reports: Sequence[Report]) -> str:
    """All findings for people, and how many there are."""
    lines = [
        render(str(report.file), report.text, diagnostic)
        for report in reports
        for diagnostic in report.diagnostics
    ]
    errors = sum(report.errors for report in reports)
    warnings = sum(len(report.diagnostics) for report in reports) - errors
    counts = (_count(errors, "error"), _count(warnings, "warning"))
    return "\n".join([*lines, f"{_count(len(reports), 'file')}: {', '.join(counts)}"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
