"""The command line, ``siteswap``: one file a group of commands."""

from __future__ import annotations

import os
from pathlib import Path

import click

from app.cli import completion, flows, runs, serve, tokens
from app.cli.project import Commands, project_of

EPILOG = """\b
A first flow:
  siteswap new hello
  siteswap run hello -i who=you
  siteswap serve

Settings are environment variables, SITESWAP_…. More may stand in files, as lines NAME=value: what
is set in the environment wins over the file of --env-file, and that over .env in this folder.

\b
Exit status:
  0  all went well
  1  something is wrong with a flow, a run, a token or a setting
  2  the command line is wrong
"""


@click.group(cls=Commands, epilog=EPILOG, context_settings={"max_content_width": 100})
@click.version_option(package_name="siteswap", message="%(prog)s %(version)s")
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read settings from this file as well.",
)
@click.pass_context
def main(context: click.Context, env_file: Path | None) -> None:
    """Siteswap: one YAML file becomes an HTTP endpoint."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    context.call_on_close(project_of(context).close)


for command in (
    serve.serve,
    *(flows.new, flows.lint, flows.run, flows.show, flows.list_, flows.schema),
    *(runs.runs, tokens.tokens, completion.completion),
):
    main.add_command(command)
