"""``siteswap tokens …``: make, show and take back the tokens that open the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli.completion import token_names
from app.cli.output import echo_json, json_option, table
from app.cli.project import Commands, Project

if TYPE_CHECKING:
    from app.config.tokens import Token


@click.group(cls=Commands)
def tokens() -> None:
    """Make, list and revoke the tokens that open the API."""


@tokens.command()
@click.argument("name")
@click.option(
    "--flows", default="", help="Flow keys or patterns it may call: 'order_*,sync_example'."
)
@click.option("--expires", help="30d, 12h, a date (to its end, UTC) or an ISO date-time.")
@click.pass_obj
def new(project: Project, name: str, flows: str, expires: str | None) -> None:
    """Make a token and print it. It cannot be shown a second time.

    \b
    Examples:
      siteswap tokens new crm --flows 'order_*,sync_example' --expires 30d
      TOKEN=$(siteswap tokens new me)
    """
    from app.config.tokens import parse_expiry

    patterns = [part.strip() for part in flows.split(",") if part.strip()]
    end = parse_expiry(expires, project.clock()) if expires else None
    click.echo(project.tokens.new(name, patterns, end))
    click.echo(f"Token {name} is made. Keep it now: only its digest is stored.", err=True)


@tokens.command("list")
@json_option
@click.pass_obj
def list_(project: Project, as_json: bool) -> None:
    """Show every token: its name, flows, times and state.

    \b
    Examples:
      siteswap tokens list
      siteswap tokens list --json
    """
    tokens = [_facts(token, project.clock()) for token in project.tokens.list()]
    if as_json:
        echo_json(tokens)
    elif tokens:
        headings = ("NAME", "FLOWS", "CREATED", "EXPIRES", "STATE")
        click.echo(table(headings, [_row(**each) for each in tokens]))
    else:
        click.echo("No tokens. Make one: siteswap tokens new NAME")


@tokens.command()
@click.argument("name", shell_complete=token_names)
@click.pass_obj
def revoke(project: Project, name: str) -> None:
    """Take a token back. Servers refuse it within two seconds.

    \b
    Examples:
      siteswap tokens revoke crm
    """
    project.tokens.revoke(name)
    click.echo(f"Token {name} is revoked.")


def _facts(token: Token, now: float) -> dict[str, Any]:
    from app.config.tokens import format_moment

    return {
        "name": token.name,
        "flows": list(token.flows) or ["*"],
        "created": None if token.created is None else format_moment(token.created),
        "expires": None if token.expires is None else format_moment(token.expires),
        "state": "expired" if token.is_expired(now) else "active",
        "source": "SITESWAP_TOKENS" if token.inline else "file",
    }


def _row(
    name: str, flows: list[str], created: str | None, expires: str | None, state: str, source: str
) -> tuple[str, ...]:
    origin = "" if source == "file" else f" ({source})"
    return name, ",".join(flows), created or "-", expires or "-", state + origin
