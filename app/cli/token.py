"""``flask token new|list|revoke``: make, show and take back the tokens that open the API."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import click

from app.config.tokens import Token, TokenRegistry, format_moment, parse_expiry
from app.errors import SiteswapError

_HEADINGS = ("NAME", "FLOWS", "CREATED", "EXPIRES", "STATE")


def token_group(
    registry: Callable[[], TokenRegistry], *, clock: Callable[[], float] = time.time
) -> click.Group:
    """The commands; ``registry`` is called by the one that runs, so that ``--help`` reads nothing.

    Exit status: 1 when something cannot be done, 2 when the command line is wrong.
    """

    @click.group("token", help="Make, list and revoke the tokens that open the API.")
    def group() -> None:
        pass

    @group.command("new", help="Make a token and print it. It cannot be shown a second time.")
    @click.argument("name")
    @click.option(
        "--flows", default="", help="Flow keys or patterns it may call: 'order_*,sync_example'."
    )
    @click.option("--expires", help="30d, 12h, a date (to its end, UTC) or an ISO date-time.")
    def new(name: str, flows: str, expires: str | None) -> None:
        with _one_line_errors():
            patterns = [part.strip() for part in flows.split(",") if part.strip()]
            end = parse_expiry(expires, clock()) if expires else None
            text = registry().new(name, patterns, end)
        click.echo(text)
        click.echo(f"Token {name} is made. Keep it now: only its digest is stored.", err=True)

    @group.command("list", help="Show every token: its name, flows, times and state.")
    def show() -> None:
        with _one_line_errors():
            tokens = registry().list()
        click.echo(
            _table(tokens, clock()) if tokens else "No tokens. Make one: flask token new NAME"
        )

    @group.command("revoke", help="Take a token back. Servers refuse it within two seconds.")
    @click.argument("name")
    def revoke(name: str) -> None:
        with _one_line_errors():
            registry().revoke(name)
        click.echo(f"Token {name} is revoked.")

    return group


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except SiteswapError as error:
        raise click.ClickException(error.message) from None


def _table(tokens: Sequence[Token], now: float) -> str:
    rows = [_HEADINGS, *(_row(token, now) for token in tokens)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(token: Token, now: float) -> tuple[str, ...]:
    state = "expired" if token.is_expired(now) else "active"
    return (
        token.name,
        ",".join(token.flows) or "*",
        _moment(token.created),
        _moment(token.expires),
        f"{state} (SITESWAP_TOKENS)" if token.inline else state,
    )


def _moment(seconds: float | None) -> str:
    return "-" if seconds is None else format_moment(seconds)
