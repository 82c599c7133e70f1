"""``flask flow list|lint|run|show|schema|new``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.catalog.catalog import CatalogEntry
from app.catalog.editor_schema import editor_schema, services_schema
from app.catalog.loader import KEY
from app.cli.lint import as_json, as_text, lint
from app.cli.run import given_inputs, run
from app.cli.starter import STARTER
from app.cli.tables import table
from app.cli.tree import describe_flow, describe_trace
from app.errors import SiteswapError
from app.runtime.program import Program
from app.runtime.trace import Trace
from app.yaml.diagnostics import Severity, visible

if TYPE_CHECKING:
    from app.process import Siteswap


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
        headings = ("FLOW", "VERSION", "MODE", "STATE", "NAME")
        click.echo(table(headings, rows) if rows else "No flows. Make one: flask flow new KEY")

    @group.command("show", help="Inputs, outputs and steps of a flow.")
    @click.argument("key")
    @click.argument("version", required=False)
    def show(key: str, version: str | None) -> None:
        click.echo(describe_flow(_program(siteswap, key, version).flow))

    @group.command("schema", help="The JSON Schema by which editors complete flow files.")
    @click.option("--services", "of_services", is_flag=True, help="That of services.yaml instead.")
    def schema(of_services: bool) -> None:
        click.echo(services_schema() if of_services else editor_schema(), nl=False)

    @group.command("new", help="Write a commented starter file for a new flow.")
    @click.argument("key")
    def new(key: str) -> None:
        _new(_shown(siteswap.settings.flows_dir), key)

    group.add_command(_lint_command(siteswap))
    group.add_command(_run_command(siteswap))
    return group


def _lint_command(siteswap: Siteswap) -> click.Command:
    @click.command("lint", help="Check flow files; the whole flows folder if none is named.")
    @click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
    @click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
    def command(paths: tuple[Path, ...], style: str) -> None:
        named = paths or (_shown(siteswap.settings.flows_dir),)
        reports = lint(named, siteswap.outside)
        click.echo(as_json(reports) if style == "json" else as_text(reports))
        if any(report.errors for report in reports):
            raise SystemExit(1)

    return command


def _run_command(siteswap: Siteswap) -> click.Command:
    @click.command("run", help="Run a flow in this process and print the envelope.")
    @click.argument("key")
    @click.argument("version", required=False)
    @click.option("-i", "--input", "pairs", multiple=True, metavar="NAME=VALUE", help="An input.")
    @click.option(
        "--json", "file", type=click.File("rb"), help="Inputs as a JSON object; - reads stdin."
    )
    @click.option("--trace", "traced", is_flag=True, help="Show each step, on standard error.")
    def command(
        key: str, version: str | None, pairs: tuple[str, ...], file: Any, traced: bool
    ) -> None:
        given, program = given_inputs(pairs, file), _program(siteswap, key, version)
        trace = Trace() if traced else None
        text, is_well = run(siteswap.service, program, given, trace)
        if trace is not None:
            click.echo(describe_trace(trace), err=True)
        click.echo(text)
        if not is_well:
            raise SystemExit(1)

    return command


def _row(entry: CatalogEntry) -> tuple[str, ...]:
    flow = entry.program.flow if entry.program else None
    if entry.is_broken:
        errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in entry.diagnostics)
        state = f"broken ({errors} error{'s' if errors > 1 else ''})"
    else:
        state = "enabled" if flow and flow.enabled else "disabled"
    mode, name = (flow.mode, flow.name or "-") if flow else ("-", "see: flask flow lint")
    return entry.path.parent.name, entry.path.stem, mode, state, visible(name)


def _program(siteswap: Siteswap, key: str, version: str | None) -> Program:
    """The named version, or the highest one."""
    siteswap.catalog.refresh()
    version = version or siteswap.catalog.latest(key)
    try:
        return siteswap.catalog.get(key, version)
    except SiteswapError as error:
        raise click.ClickException(f"{key}/{version}: {error.public}") from None


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
