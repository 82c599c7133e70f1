"""Completion of commands, flow keys, versions, run ids and token names in bash, zsh and fish."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from threading import Thread
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from app.cli.project import project_of

if TYPE_CHECKING:
    from app.runs.run import RunRecord

SECONDS = 2.0
"""How long a shell waits for a store: one on another machine may not answer."""
RUNS = 200
"""Run ids that are completed: those of the newest runs."""

Words = Callable[[click.Context], Iterable[tuple[str, str]]]
"""Words that may stand at a place, each with what a shell may say of it."""
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _quietly(words: Words) -> Complete:
    """Complete from these words; from none where they cannot be had."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        with redirect_stderr(io.StringIO()):
            try:
                found = list(words(context))
            except Exception:  # noqa: BLE001 - a shell in the middle of a line shows no errors
                return []
        return [CompletionItem(word, help=about) for word, about in found if word.startswith(begun)]

    return complete


@_quietly
def flow_keys(context: click.Context) -> Iterable[tuple[str, str]]:
    files = project_of(context).settings.flows_dir.glob("[!.]*/v*.yaml")
    return [(key, "") for key in sorted({file.parent.name for file in files})]


@_quietly
def versions(context: click.Context) -> Iterable[tuple[str, str]]:
    files = (project_of(context).settings.flows_dir / context.params["key"]).glob("v*.yaml")
    numbers = sorted(int(file.stem[1:]) for file in files if file.stem[1:].isdecimal())
    return [(f"v{number}", "") for number in numbers]


@_quietly
def run_ids(context: click.Context) -> Iterable[tuple[str, str]]:
    project = project_of(context)
    if not project.has_store:
        return []
    runner = project.siteswap.runner
    found: list[RunRecord] = []
    asking = Thread(target=lambda: found.extend(runner.find(limit=RUNS)), daemon=True)
    asking.start()
    asking.join(SECONDS)
    return [(run.id, f"{run.flow_key} {run.status}") for run in found]


@_quietly
def token_names(context: click.Context) -> Iterable[tuple[str, str]]:
    tokens = project_of(context).tokens.list()
    return [(token.name, "") for token in tokens if not token.inline]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      eval "$(siteswap completion bash)"           # in ~/.bashrc
      eval "$(siteswap completion zsh)"            # in ~/.zshrc, after compinit
      siteswap completion fish | source            # in ~/.config/fish/config.fish
    """
    root = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(root.command, {}, "siteswap", "_SITESWAP_COMPLETE").source())
