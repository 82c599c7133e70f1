"""``flask run list|show|cancel|retry|prune``; alone, still Flask's development server.

``run`` is a command of Flask itself. ``setup.cfg`` names this group as the plugin command ``run``,
which Flask loads over its own. The group has the options of Flask's command and hands them to it
where no command of ours is named, so what worked without us works as it did.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from flask import current_app
from flask.cli import AppGroup, run_command

from app.cli.run_text import describe_run, list_runs, one_line_state
from app.errors import RunNotFound, SiteswapError
from app.runs import callback
from app.runs.failure_detector import LOOKS_PER_LEASE
from app.runs.reaper import PRUNED_AT_ONCE
from app.runs.run import RunRecord, Status
from app.runs.view import view

if TYPE_CHECKING:
    from app.process import Siteswap

HELP = """Look after the runs of async flows.

Without a command: Flask's own development server, which the options are for. (To serve for real,
run gunicorn.)
"""


@click.group(
    "run",
    cls=AppGroup,
    params=run_command.params,
    invoke_without_command=True,
    help=HELP,
    short_help="Look after runs; alone, run a development server.",
    subcommand_metavar="[list|show|cancel|retry|prune]",
)
@click.pass_context
def run_group(context: click.Context, /, **options: Any) -> None:
    """Flask's own command, unless one of ours is named."""
    if context.invoked_subcommand is None:
        context.invoke(run_command, **options)
        return
    sources = map(context.get_parameter_source, options)
    if any(source is ParameterSource.COMMANDLINE for source in sources):
        raise click.UsageError("the options of the development server stand alone")


@run_group.command("list", help="Runs, the newest first; times are UTC.")
@click.option("--status", type=click.Choice([each.value for each in Status], case_sensitive=False))
@click.option("--flow", metavar="KEY", help="Only runs of this flow.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
def _list(status: str | None, flow: str | None, limit: int) -> None:
    with _siteswap() as siteswap:
        found = siteswap.service.store.find(
            status=Status(status) if status else None, flow_key=flow, limit=limit
        )
        click.echo(list_runs(found))


@run_group.command("show", help="A run with its steps, secrets masked; times are UTC.")
@click.argument("run_id", metavar="ID")
def _show(run_id: str) -> None:
    with _siteswap(run_id) as siteswap:
        siteswap.catalog.refresh()
        run = siteswap.service.result(run_id)
        delivery = _delivery(siteswap, run)
        click.echo(describe_run(view(siteswap.service, run), delivery))


@run_group.command("cancel", help="End a run; one that has ended stays as it is.")
@click.argument("run_id", metavar="ID")
def _cancel(run_id: str) -> None:
    with _siteswap(run_id) as siteswap:
        click.echo(one_line_state(siteswap.service.cancel(run_id)))


@run_group.command("retry", help="Accept a new run from the inputs of another; prints its id.")
@click.argument("run_id", metavar="ID")
def _retry(run_id: str) -> None:
    with _siteswap(run_id) as siteswap:
        siteswap.catalog.refresh()
        click.echo(siteswap.service.retry(run_id).run_id)
        seconds = siteswap.settings.lease / LOOKS_PER_LEASE
        click.echo(
            f"It is accepted. A server that runs takes it within {seconds:.1f} s; "
            "if none runs, it waits for the next start.",
            err=True,
        )


@run_group.command("prune", help="Drop ended runs that are older, or more, than the settings say.")
def _prune() -> None:
    with _siteswap() as siteswap:
        store, settings = siteswap.service.store, siteswap.settings
        oldest, dropped, last = time.time() - settings.retention, 0, PRUNED_AT_ONCE
        while last == PRUNED_AT_ONCE:
            last = store.prune(oldest, settings.retention_runs, PRUNED_AT_ONCE)
            dropped += last
        click.echo(f"{dropped} {'run' if dropped == 1 else 'runs'} dropped")


@contextmanager
def _siteswap(subject: str = "") -> Iterator[Siteswap]:
    """The application's parts; what goes wrong is one sentence about ``subject``, status 1."""
    siteswap: Siteswap | None = current_app.extensions.get("siteswap")
    if siteswap is None:
        raise click.ClickException("this command is for Siteswap, which the application is not")
    if siteswap.settings.store.kind == "memory":
        raise click.ClickException(
            "SITESWAP_STORE=memory: keeps runs inside the server's own process, "
            "where no command can see them"
        )
    try:
        yield siteswap
    except SiteswapError as error:
        prefix = f"{subject}: " if subject else ""
        raise click.ClickException(prefix + _sentence(error)) from None
    finally:
        _close(siteswap)


def _sentence(error: SiteswapError) -> str:
    if isinstance(error, RunNotFound):
        return f"{error.public} (there is no such run, or it is not kept any more)"
    return error.public


def _close(siteswap: Siteswap) -> None:
    # Only what was opened: reading the attribute would open it.
    if "store" in vars(siteswap.service):
        siteswap.service.store.close()


def _delivery(siteswap: Siteswap, run: RunRecord) -> RunRecord | None:
    return siteswap.service.store.get(callback.delivery_id(run.id))
