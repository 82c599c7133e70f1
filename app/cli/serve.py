"""``siteswap serve``: gunicorn in place of this process, with the shipped configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

import app
from app.cli.project import Project


@click.command(
    context_settings={"ignore_unknown_options": True}, options_metavar="[GUNICORN OPTIONS]"
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="")
@click.pass_obj
def serve(project: Project, options: Sequence[str]) -> None:
    """Serve the flows of this folder over HTTP.

    This starts gunicorn with the settings of gunicorn.conf.py; its own options go over them. The
    address is 127.0.0.1:9127 unless BIND or --bind says otherwise, and WEB_CONCURRENCY or
    --workers says how many processes serve.

    \b
    Examples:
      siteswap serve
      siteswap serve --bind 0.0.0.0:80 --workers 4
      siteswap --env-file production.env serve
      siteswap serve -- --help                     # gunicorn's own options
    """
    gunicorn = Path(sys.executable).with_name("gunicorn")
    command = [str(gunicorn)] if gunicorn.exists() else [sys.executable, "-m", "gunicorn"]
    clone = Path(app.__file__).parents[1]
    arguments = [*command, *shipped(Path.cwd(), clone), *options]
    os.execve(arguments[0], arguments, project.environ)


def shipped(folder: Path, clone: Path) -> list[str]:
    """Options for the files that a project folder lacks: those of the clone serve as well.

    Raises:
        ClickException: they are not there either.
    """
    options = {
        "gunicorn.conf.py": f"--config={clone}/gunicorn.conf.py",
        "wsgi.py": f"--pythonpath={clone}",
    }
    missing = [name for name in options if not (folder / name).exists()]
    for name in missing:
        if not (clone / name).exists():
            raise click.ClickException(
                f"{folder} has no {name}; copy gunicorn.conf.py and wsgi.py from a clone of "
                "Siteswap, or install Siteswap from its clone with pip install -e"
            )
    return [options[name] for name in missing]
