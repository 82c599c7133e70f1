"""``flask flow list|lint|run|show|schema|new``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app import envelope
from app.catalog import Entry, flow_files
from app.cli.starter import STARTER
from app.cli.tables import table
from app.cli.tree import describe_flow, describe_trace
from app.engine.compiler import Program
from app.engine.trace import Trace
from app.errors import SiteswapError
from app.json_text import JsonError, dumps, loads
from app.service import Triggered
from app.spec.diagnostics import Finding, Severity, render, to_json
from app.spec.editor_schema import editor_schema
from app.spec.inputs import coerce
from app.spec.loader import KEY, load_flow

if TYPE_CHECKING:
    from app.runtime import Siteswap


SCHEMA_FILE = "flow.schema.json"
"""Stands in the flows folder; each flow's first line points to it."""


def flow_group(siteswap: Siteswap) -> click.Group:
    """The commands. Exit status: 1 when something is wrong with a flow, 2 with the command line."""

    @click.group("flow", help="Make, check, show and run flows.")
    def group() -> None:
        pass

    @group.command("list", help="Every flow file and its state.")
    def list_() -> None:
        siteswap.catalog.refresh()
        rows = [_row(entry) for entry in siteswap.catalog.entries()]
        click.echo(table(("FLOW", "VERSION", "MODE", "STATE", "NAME"), rows))

    @group.command("lint", help="Check flow files; the whole flows folder if none is named.")
    @click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
    @click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
    def lint(paths: tuple[Path, ...], style: str) -> None:
        _lint(siteswap, paths or (_shown(siteswap.settings.flows_dir),), style)

    @group.command("run", help="Run a flow in this process and print the envelope.")
    @click.argument("key")
    @click.argument("version", required=False)
    @click.option("-i", "--input", "pairs", multiple=True, metavar="NAME=VALUE", help="An input.")
    @click.option(
        "--json", "file", type=click.File("rb"), help="Inputs as a JSON object; - reads stdin."
    )
    @click.option("--trace", "traced", is_flag=True, help="Show each step, on standard error.")
    def run(key: str, version: str | None, pairs: tuple[str, ...], file: Any, traced: bool) -> None:
        given = {**_json_inputs(file), **_pairs(pairs)}
        _run(siteswap, key, version, given, Trace() if traced else None)

    @group.command("show", help="Inputs, outputs and steps of a flow.")
    @click.argument("key")
    @click.argument("version", required=False)
    def show(key: str, version: str | None) -> None:
        click.echo(describe_flow(_program(siteswap, key, version).flow))

    @group.command("schema", help="The JSON Schema by which editors complete flow files.")
    def schema() -> None:
        click.echo(editor_schema(), nl=False)

    @group.command("new", help="Write a commented starter file for a new flow.")
    @click.argument("key")
    def new(key: str) -> None:
        _new(_shown(siteswap.settings.flows_dir), key)

    return group


def _row(entry: Entry) -> tuple[str, ...]:
    flow = entry.program.flow if entry.program else None
    if entry.is_broken:
        errors = sum(finding.severity is Severity.ERROR for finding in entry.findings)
        state = f"broken ({errors} error{'s' if errors > 1 else ''})"
    else:
        state = "enabled" if flow and flow.enabled else "disabled"
    mode, name = (flow.mode, flow.name or "-") if flow else ("-", "see: flask flow lint")
    return entry.path.parent.name, entry.path.stem, mode, state, name


def _lint(siteswap: Siteswap, paths: tuple[Path, ...], style: str) -> None:
    files = [file for path in paths for file in _files(path)]
    found = [(file, *_findings(siteswap, file)) for file in files]
    if style == "json":
        rows = [to_json(str(file), each) for file, _, findings in found for each in findings]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for file, text, findings in found:
            for each in findings:
                click.echo(render(str(file), text, each))
        click.echo(_summary(len(files), [each for *_, findings in found for each in findings]))
    if any(each.severity is Severity.ERROR for *_, findings in found for each in findings):
        raise SystemExit(1)


def _files(path: Path) -> Iterator[Path]:
    """The flow files of a flows folder, of one flow's folder, or the file itself."""
    if not path.is_dir():
        yield path
        return
    nested = {Path(file) for file, _ in flow_files(path)}
    beside = (Path(file) for file, _ in flow_files(path.absolute().parent))
    own = {path / file.name for file in beside if file.parent == path.absolute()}
    yield from sorted(nested | own)


def _findings(siteswap: Siteswap, file: Path) -> tuple[str, tuple[Finding, ...]]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    loaded = load_flow(file.absolute(), data, siteswap.catalog.surroundings)
    return data.decode("utf-8", "replace"), loaded.findings


def _summary(files: int, findings: list[Finding]) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    words = [_count(errors, "error"), _count(len(findings) - errors, "warning")]
    return f"{_count(files, 'file')}: {', '.join(words)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _program(siteswap: Siteswap, key: str, version: str | None) -> Program:
    """The named version, or the highest one."""
    siteswap.catalog.refresh()
    version = version or siteswap.catalog.latest(key)
    try:
        return siteswap.catalog.get(key, version)
    except SiteswapError as error:
        raise click.ClickException(f"{key}/{version}: {error.public}") from None


def _json_inputs(file: Any) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        value = loads(file.read())
    except JsonError as error:
        raise click.UsageError(f"--json: {error}") from None
    if not isinstance(value, dict):
        raise click.UsageError("--json: expected a JSON object")
    return value


def _pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise click.UsageError(f"-i {pair}: write it like -i name=value")
    return dict(pair.split("=", 1) for pair in pairs)


def _run(
    siteswap: Siteswap, key: str, version: str | None, given: dict[str, Any], trace: Trace | None
) -> None:
    program = _program(siteswap, key, version)
    try:
        inputs = coerce(program.flow.inputs, given)
    except SiteswapError as error:
        click.echo(envelope.failure(error.code, error.public))
        raise SystemExit(1) from None
    answer = siteswap.service.run(program, inputs, _request(), trace)
    if trace is not None:
        click.echo(describe_trace(trace), err=True)
    click.echo(_answer(program, answer))
    if answer.error is not None:
        raise SystemExit(1)


def _request() -> dict[str, Any]:
    """What a flow reads as ``request`` when nobody sent one."""
    return {"method": "CLI", "headers": {}, "query": {}, "body": None, "raw": None}


def _answer(program: Program, answer: Triggered) -> str:
    """What the trigger answers, or for an async flow what polling would."""
    if program.flow.mode == "async" and answer.error is None:
        return envelope.success(dumps(answer.data))
    return envelope.triggered(answer)


def _shown(path: Path) -> Path:
    """The path as a person in this folder would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _new(folder: Path, key: str) -> None:
    if not KEY.fullmatch(key):
        raise click.UsageError(
            f"{key!r} is not a flow key: a letter, then letters, digits, `_`, `-`, at most 64"
        )
    file = folder / key / "v1.yaml"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(STARTER)
        with contextlib.suppress(FileExistsError), (folder / SCHEMA_FILE).open("x") as stream:
            stream.write(editor_schema())
    except FileExistsError:
        raise click.ClickException(f"{file} exists already") from None
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    click.echo(f"{file} is written. Run it: flask flow run {key} -i who=you")
