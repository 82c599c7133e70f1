"""The commands for flow files: ``new``, ``lint``, ``run``, ``show``, ``list``, ``schema``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.completion import flow_keys, versions
from app.cli.output import echo_json, json_option, table
from app.cli.project import Project

if TYPE_CHECKING:
    from app.catalog.catalog import CatalogEntry

STARTER = Path(__file__).with_name("starter.yaml")
"""What ``new`` writes: it lints clean, runs at once, and teaches by example."""
SCHEMA_FILE = "flow.schema.json"
"""Lies in the flows folder; the first line of each flow points to it."""


@click.command()
@click.argument("key")
@click.pass_obj
def new(project: Project, key: str) -> None:
    """Write a commented starter file for a new flow.

    \b
    Examples:
      siteswap new hello
      siteswap run hello -i who=you
    """
    from app.catalog.editor_schema import editor_schema
    from app.catalog.loader import KEY

    if not KEY.fullmatch(key):
        raise click.UsageError(
            f"{key!r} is not a flow key: a letter, then letters, digits, `_`, `-`, at most 64"
        )
    folder = project.shown(project.settings.flows_dir)
    file = folder / key / "v1.yaml"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(STARTER.read_text(encoding="utf-8"))
        with contextlib.suppress(FileExistsError), (folder / SCHEMA_FILE).open("x") as stream:
            stream.write(editor_schema())
    except FileExistsError:
        raise click.ClickException(f"{file} exists already") from None
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    click.echo(f"{file} is written. Run it: siteswap run {key} -i who=you")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    help="text for people (the default), or json.",
)
@click.option("--json", "style", flag_value="json", help="The same as --format json.")
@click.pass_obj
def lint(project: Project, paths: Sequence[Path], style: str) -> None:
    """Check flow files: what is wrong, and what to write.

    PATHS are files and folders; without one it is the whole flows folder. Warnings alone leave the
    exit status at 0.

    \b
    Examples:
      siteswap lint
      siteswap lint flows/order drafts/new.yaml --format json
    """
    from app.cli.lint import as_json, as_text, lint

    named = paths or (project.shown(project.settings.flows_dir),)
    reports = lint(named, project.siteswap.services)
    if style == "json":
        echo_json(as_json(reports))
    else:
        click.echo(as_text(reports))
    if any(report.errors for report in reports):
        raise SystemExit(1)


@click.command()
@click.argument("key", shell_complete=flow_keys)
@click.argument("version", required=False, shell_complete=versions)
@click.option(
    "-i",
    "--input",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input; it goes over one of --inputs, and twice the same name makes a list.",
)
@click.option(
    "--inputs",
    "file",
    type=click.File("rb"),
    metavar="FILE",
    help="A file that holds the inputs as a JSON object; - reads standard input.",
)
@click.option("--trace", "traced", is_flag=True, help="Show each step, on standard error.")
@click.pass_obj
def run(
    project: Project, key: str, version: str | None, pairs: Sequence[str], file: Any, traced: bool
) -> None:
    """Run a flow in this process and print the envelope.

    Without VERSION the highest one runs. No server is needed; an async flow runs to its end.

    \b
    Examples:
      siteswap run hello -i who=you -i excited=true
      siteswap run order v2 --inputs order.json --trace
      echo '{"who": "you"}' | siteswap run hello --inputs -
    """
    from app.cli.run import given_inputs, run
    from app.cli.tree import describe_trace
    from app.runtime.trace import Trace

    given, program = given_inputs(pairs, file), project.program(key, version)
    trace = Trace() if traced else None
    text, is_well = run(project.siteswap.runner, program, given, trace)
    if trace is not None:
        click.echo(describe_trace(trace), err=True)
    click.echo(text)
    if not is_well:
        raise SystemExit(1)


@click.command()
@click.argument("key", shell_complete=flow_keys)
@click.argument("version", required=False, shell_complete=versions)
@click.pass_obj
def show(project: Project, key: str, version: str | None) -> None:
    """Show the inputs, outputs and steps of a flow.

    \b
    Examples:
      siteswap show sync_example
      siteswap show order v1
    """
    from app.cli.tree import describe_flow

    click.echo(describe_flow(project.program(key, version).flow))


@click.command("list")
@json_option
@click.pass_obj
def list_(project: Project, as_json: bool) -> None:
    """List every flow file and its state.

    \b
    Examples:
      siteswap list
      siteswap list --json
    """
    flows = [_facts(entry) for entry in project.catalog.entries()]
    if as_json:
        echo_json(flows)
    elif flows:
        click.echo(table(("FLOW", "VERSION", "MODE", "STATE", "NAME"), [_row(**f) for f in flows]))
    else:
        click.echo(f"No flows in {project.settings.flows_dir}. Make one: siteswap new KEY")


@click.command()
@click.option("--services", "of_services", is_flag=True, help="That of services.yaml instead.")
def schema(of_services: bool) -> None:
    """Print the JSON Schema by which editors complete flow files.

    \b
    Examples:
      siteswap schema > flows/flow.schema.json
    """
    from app.catalog.editor_schema import editor_schema, services_schema

    click.echo(services_schema() if of_services else editor_schema(), nl=False)


def _facts(entry: CatalogEntry) -> dict[str, Any]:
    flow = entry.program.flow if entry.program else None
    errors = sum(diagnostic.severity == "error" for diagnostic in entry.diagnostics)
    return {
        "flow": entry.path.parent.name,
        "version": entry.path.stem,
        "mode": flow and flow.mode,
        "state": "broken" if errors else "enabled" if flow and flow.enabled else "disabled",
        "errors": errors,
        "name": flow and flow.name,
    }


def _row(
    flow: str, version: str, mode: str | None, state: str, errors: int, name: str | None
) -> tuple[str, ...]:
    from app.yaml.diagnostics import visible

    state += f" ({errors} error{'s' if errors > 1 else ''})" if errors else ""
    return flow, version, mode or "-", state, visible(name or "-") if mode else "see: siteswap lint"
