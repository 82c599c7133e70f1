"""``flask flow lint``: what is wrong with flow files, where, and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from app.catalog import files_of, flow_files
from app.spec.diagnostics import Finding, Severity, render, to_json
from app.spec.loader import load_flow
from app.spec.names import Surroundings


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


def lint(paths: Sequence[Path], surroundings: Surroundings) -> list[Report]:
    """Check files and all flow files of folders.

    Raises:
        ClickException: a file cannot be read.
    """
    return [_checked(file, surroundings) for path in paths for file in _files(path)]


def _files(path: Path) -> Iterator[Path]:
    """The flow files of a flows folder, of one flow's folder, or the file itself."""
    if not path.is_dir():
        yield path
        return
    yield from sorted(Path(file) for file, _ in [*flow_files(path), *files_of(path)])


def _checked(file: Path, surroundings: Surroundings) -> Report:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    findings = load_flow(file.absolute(), data, surroundings).findings
    return Report(file, data.decode("utf-8", "replace"), findings)


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
