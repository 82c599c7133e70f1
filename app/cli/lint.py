"""``flask flow lint``: what is wrong with flow files, where, and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from app.catalog import files_of, flow_files
from app.spec.diagnostics import Finding, Severity, render, to_json
from app.spec.loader import Draft, read_flow
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


def lint(paths: Sequence[Path], around: Surroundings, flows: Path) -> list[Report]:
    """Check files and all flow files of folders. ``flows`` is the folder of those they may call.

    Raises:
        ClickException: a file cannot be read.
    """
    drafts = {file: _draft(file) for path in paths for file in _files(path)}
    if any(draft.calls for draft in drafts.values()):
        others = [_draft(file) for file in _files(flows)] if flows.is_dir() else []
        around = replace(around, flows=_flows([*others, *drafts.values()]))
    return [
        Report(file, draft.text, draft.check(around).findings) for file, draft in drafts.items()
    ]


def _flows(drafts: Iterable[Draft]) -> Flows:
    """What can be called: also flows with mistakes, which are told where they stand."""
    named = {draft.name: draft for draft in drafts if draft.name and draft.flow}
    flows = {name: draft.flow for name, draft in named.items() if draft.flow}
    return Flows(flows, {name: draft.calls for name, draft in named.items()})


def _files(path: Path) -> Iterator[Path]:
    """The flow files of a flows folder, of one flow's folder, or the file itself."""
    if not path.is_dir():
        yield path
        return
    yield from sorted(Path(file) for file, _ in [*flow_files(path), *files_of(path)])


def _draft(file: Path) -> Draft:
    try:
        return read_flow(file.absolute(), file.read_bytes())
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
