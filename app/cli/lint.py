"""``siteswap lint``: what is wrong with the files of a project, where, and what to write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import click

from app.catalog import files_of, flow_files
from app.cli.output import coloured
from app.outside import Outside
from app.spec.diagnostics import Finding, Severity, render, to_json
from app.spec.loader import Draft, read_flow
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


def callable_flows(
    home: Path, linted: Sequence[Draft], others: Iterable[Draft], around: Surroundings
) -> Flows:
    """What the flows of the folder ``home`` can call: those beside them, and ``others``.

    That is also one with mistakes, if it is linted: they are told where they stand.

    Raises:
        ClickException: a file cannot be read.
    """
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
            named[name] = read_draft(file)
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


def read_draft(file: Path) -> Draft:
    """A flow file.

    Raises:
        ClickException: it cannot be read.
    """
    return read_flow(file.absolute(), read_bytes(file))


def read_bytes(file: Path) -> bytes:
    """What stands in a file.

    Raises:
        ClickException: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None


def as_json(reports: Sequence[Report]) -> list[dict[str, object]]:
    """All findings, for tools."""
    return [to_json(str(report.file), each) for report in reports for each in report.findings]


def as_text(reports: Sequence[Report]) -> str:
    """All findings for people, and how many there are."""
    lines = [
        _painted(render(str(report.file), report.text, finding), finding.severity)
        for report in reports
        for finding in report.findings
    ]
    errors = sum(report.errors for report in reports)
    warnings = sum(len(report.findings) for report in reports) - errors
    counts = (_count(errors, "error"), _count(warnings, "warning"))
    return "\n".join([*lines, f"{_count(len(reports), 'file')}: {', '.join(counts)}"])


def _painted(text: str, severity: Severity) -> str:
    """The headline's severity in its colour."""
    before, found, after = text.partition(f": {severity} ")
    return f"{before}: {coloured(severity)} {after}" if found else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
