"""``siteswap runs …``: look after the runs of async flows, next to servers or without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from app.cli.completion import flow_keys, run_ids
from app.cli.output import echo_json, json_option
from app.cli.project import Commands, Project
from app.errors import Busy, SiteswapError
from app.runs.run import Status

if TYPE_CHECKING:
    from app.runs.runner import Runner

_STATUSES = [each.value for each in Status]

_id = click.argument("run_id", metavar="ID", shell_complete=run_ids)


@click.group(cls=Commands)
def runs() -> None:
    """Look after the runs of async flows."""


@runs.command("list")
@click.option(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    metavar="STATUS",
    help=f"Only runs in this state: {', '.join(_STATUSES[:-1])} or {_STATUSES[-1]}.",
)
@click.option("--flow", metavar="KEY", shell_complete=flow_keys, help="Only runs of this flow.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    metavar="N",
    help="How many at most.",
)
@json_option
@click.pass_obj
def list_(
    project: Project, status: str | None, flow: str | None, limit: int, as_json: bool
) -> None:
    """List runs, the newest first; times are UTC.

    \b
    Examples:
      siteswap runs list
      siteswap runs list --status ABORT --flow order
    """
    from app.cli.run_text import facts, list_runs

    chosen = Status(status) if status else None
    with _runner(project) as runner:
        found = runner.find(status=chosen, flow_key=flow, limit=limit) if project.has_store else ()
    if as_json:
        echo_json([facts(run) for run in found])
    elif found:
        click.echo(list_runs(found))
    else:
        matching = "matching " if status or flow else ""
        click.echo(f"No {matching}runs in {project.settings.store}")


@runs.command()
@_id
@json_option
@click.pass_obj
def show(project: Project, run_id: str, as_json: bool) -> None:
    """Show a run with its steps, secrets masked; times are UTC.

    \b
    Examples:
      siteswap runs show async_PdCPkVCdgpyAB2e0
    """
    from app.cli.run_text import describe_run, facts
    from app.runs.view import view

    with _runner(project, run_id) as runner:
        project.siteswap.catalog.refresh()
        run = runner.result(run_id)
        shown, delivery = view(runner, run), runner.delivery(run)
    if as_json:
        echo_json({**shown, "callback": facts(delivery) if delivery else None})
    else:
        click.echo(describe_run(shown, delivery))


@runs.command()
@_id
@click.pass_obj
def cancel(project: Project, run_id: str) -> None:
    """End a run; one that has ended stays as it is.

    \b
    Examples:
      siteswap runs cancel async_PdCPkVCdgpyAB2e0
    """
    from app.cli.run_text import one_line_state

    with _runner(project, run_id) as runner:
        click.echo(one_line_state(runner.cancel(run_id)))


@runs.command()
@_id
@click.pass_obj
def retry(project: Project, run_id: str) -> None:
    """Accept a new run from the inputs of another; prints its id.

    \b
    Examples:
      ID=$(siteswap runs retry async_PdCPkVCdgpyAB2e0)
    """
    from app.runs.failure_detector import LOOKS_PER_LEASE

    with _runner(project, run_id) as runner:
        project.siteswap.catalog.refresh()
        click.echo(runner.retry(run_id).run_id)
    seconds = project.settings.lease / LOOKS_PER_LEASE
    click.echo(
        f"It is accepted. A server that runs takes it within {seconds:.1f} s; "
        "if none runs, it waits for the next start.",
        err=True,
    )


@runs.command()
@click.pass_obj
def prune(project: Project) -> None:
    """Drop ended runs that are older, or more, than the settings say.

    \b
    Examples:
      siteswap runs prune
    """
    settings = project.settings
    with _runner(project) as runner:
        dropped = runner.prune(settings.retention, settings.retention_runs)
    click.echo(f"{dropped} {'run' if dropped == 1 else 'runs'} dropped")


@contextmanager
def _runner(project: Project, run_id: str = "") -> Iterator[Runner]:
    """The runner; what goes wrong is one sentence about this run, or about the store.

    Raises:
        ClickException: always where something is wrong.
    """
    store = project.settings.store
    if store.kind == "memory":
        raise click.ClickException(
            "SITESWAP_STORE=memory: keeps runs inside the server's own process, "
            "where no command can see them"
        )
    try:
        yield project.siteswap.runner
    except Busy as error:
        raise click.ClickException(f"{error.english} ({store})") from None
    except SiteswapError as error:
        raise click.ClickException(": ".join(filter(None, [run_id, error.english]))) from None
