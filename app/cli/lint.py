"""``flask flow lint``: what is wrong with the files of a project, where, and what to write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from app.catalog import files_of, flow_files
from app.cli.called import callable_flows, read_bytes, read_draft
from app.outside import Outside
from app.spec.diagnostics import Finding, Severity, render, to_json
from app.spec.loader import Draft
from app.spec.services_file import FILE_NAME
from app.spec.surroundings import Flows, Surroundings


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one file, and its text, which they quote."""

    file: Path
    text: str
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many of the findings are errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)


def lint(paths: Sequence[Path], outside: Outside) -> list[Report]:
    """Check files, and all files of folders: flows, and the ``services.yaml`` beside them.

    A flow may call those of the folder that it stands in, and those of the flows folder.

    Raises:
        ClickException: a file cannot be read.
    """
    outside.secrets.refresh()
    files = [file for path in paths for file in _files(path)]
    drafts = {file: read_draft(file) for file in files if file.name != FILE_NAME}
    around = _Around(outside, list(drafts.values()))
    return [
        _of_flow(file, drafts[file], around) if file in drafts else _of_services(file, outside)
        for file in files
    ]


def _of_flow(file: Path, draft: Draft, around: _Around) -> Report:
    surroundings = around(file.absolute().parent.parent)
    return Report(file, draft.text, draft.check(surroundings).findings)


def _of_services(file: Path, outside: Outside) -> Report:
    data = read_bytes(file)
    findings = outside.check(file.absolute().parent, data).findings
    return Report(file, data.decode("utf-8", "replace"), findings)


class _Around:
    """What the flows of a folder may use; found out once."""

    def __init__(self, outside: Outside, linted: Sequence[Draft]) -> None:
        self._outside = outside
        self._linted = linted
        self._known: dict[Path, Surroundings] = {}

    def __call__(self, folder: Path) -> Surroundings:
        if folder not in self._known:
            around = self._look(folder)
            self._known[folder] = replace(around, flows=self._callable(folder, around))
        return self._known[folder]

    def _callable(self, folder: Path, around: Surroundings) -> Flows | None:
        linted = [draft for draft in self._linted if draft.path.parent.parent == folder]
        if not any(draft.calls for draft in linted):
            return None
        return callable_flows(folder, linted, self._served, around)

    @cached_property
    def _served(self) -> list[Draft]:
        folder = self._outside.folder
        files = _files(folder) if folder.is_dir() else ()
        return [read_draft(file) for file in files if file.name != FILE_NAME]

    def _look(self, folder: Path) -> Surroundings:
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
    rows = [to_json(str(report.file), each) for report in reports for each in report.findings]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def as_text(reports: Sequence[Report]) -> str:
    """All findings for people, and how many there are."""
    lines = [
        render(str(report.file), report.text, finding)
        for report in reports
        for finding in report.findings
    ]
    errors = sum(report.errors for report in reports)
    warnings = sum(len(report.findings) for report in reports) - errors
    counts = (_count(errors, "error"), _count(warnings, "warning"))
    return "\n".join([*lines, f"{_count(len(reports), 'file')}: {', '.join(counts)}"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
