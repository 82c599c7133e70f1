"""``flask flow lint``: what is wrong with the files of a project, where, and what to write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from app.catalog import files_of, flow_files
from app.outside import Outside
from app.spec.diagnostics import Finding, Severity, render, to_json
from app.spec.loader import load_flow
from app.spec.names import Surroundings
from app.spec.services_file import FILE_NAME


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

    Raises:
        ClickException: a file cannot be read.
    """
    outside.secrets.refresh()
    checked = _Checked(outside)
    return [checked(file) for path in paths for file in _files(path)]


def _files(path: Path) -> Iterator[Path]:
    """The files of a flows folder, of one flow's folder, or the file itself."""
    if not path.is_dir():
        yield path
        return
    if (path / FILE_NAME).is_file():
        yield path / FILE_NAME
    yield from sorted(
        file
        for file in (Path(found) for found, _ in [*flow_files(path), *files_of(path)])
        if file.name != FILE_NAME
    )


class _Checked:
    """Checks files; what the flows of a folder may use is found out once."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._known: dict[Path, Surroundings] = {}

    def __call__(self, file: Path) -> Report:
        data, place = _read(file), file.absolute()
        if file.name == FILE_NAME:
            findings = self._outside.check(place.parent, data).findings
        else:
            findings = load_flow(place, data, self._surroundings(place.parent.parent)).findings
        return Report(file, data.decode("utf-8", "replace"), findings)

    def _surroundings(self, folder: Path) -> Surroundings:
        if folder not in self._known:
            self._known[folder] = self._look(folder)
        return self._known[folder]

    def _look(self, folder: Path) -> Surroundings:
        """What flows of this folder may use; nobody knows without a ``services.yaml`` beside them.

        In the flows folder itself, no such file means that there are no services.
        """
        file, readable = folder / FILE_NAME, self._outside.readable
        if file.is_file():
            loaded = self._outside.check(folder, _read(file))
            return replace(readable, services=loaded.services, databases=loaded.databases)
        if folder == self._outside.folder:
            return replace(readable, services=frozenset(), databases=frozenset())
        return readable


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None


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
