"""``flask flow lint``: what is wrong with flow files, where, and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Check files and all flow files of folders.

    A flow may call those of the folder that it stands in, and those of ``flows``.

    Raises:
        ClickException: a file cannot be read.
    """
    drafts = {file: _draft(file) for path in paths for file in _files(path)}
    homes = {_home(draft) for draft in drafts.values() if draft.calls}
    others = [_draft(file) for file in _files(flows)] if homes and flows.is_dir() else []
    known = {}
    for home in homes:
        linted = [draft for draft in drafts.values() if _home(draft) == home]
        known[home] = replace(around, flows=_callable(home, linted, others, around))
    return [
        Report(file, draft.text, draft.check(known.get(_home(draft), around)).findings)
        for file, draft in drafts.items()
    ]


def _home(draft: Draft) -> Path:
    """The flows folder that a flow stands in."""
    return Path(draft.path.parent.parent)


def _callable(
    home: Path, linted: Sequence[Draft], others: Iterable[Draft], around: Surroundings
) -> Flows:
    """What the flows of a folder can call: also those with mistakes that are told themselves."""
    named = {draft.name: draft for draft in [*others, *linted] if draft.name}
    told = {draft.name for draft in linted if draft.flow}
    reached = _reached(home, linted, named)
    flows = Flows(
        {name: draft.flow for name, draft in named.items() if draft.flow},
        {name: draft.calls for name, draft in named.items()},
    )
    untold = {name: named[name] for name in reached - told}
    return Flows(flows.flows, flows.calls, _broken(untold, replace(around, flows=flows)))


def _reached(home: Path, linted: Sequence[Draft], named: dict[str, Draft]) -> set[str]:
    """What these call, also through others; ``named`` gets what stands beside them."""
    told = {draft.name for draft in linted}
    reached: set[str] = set()
    pending = [name for draft in linted for name in draft.calls]
    while pending:
        name = pending.pop()
        if name not in reached | told and (file := home / f"{name}.yaml").is_file():
            named[name] = _draft(file)
        if name in named and name not in reached:
            reached.add(name)
            pending += named[name].calls
    return reached


def _broken(drafts: Mapping[str, Draft], around: Surroundings) -> set[str]:
    """Those that have errors themselves, or call one that has."""
    broken = {name for name, draft in drafts.items() if draft.check(around).flow is None}
    while more := {name for name in drafts.keys() - broken if drafts[name].calls & broken}:
        broken |= more
    return broken


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
