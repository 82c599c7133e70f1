"""Completion of commands, flow keys, versions, run ids and token names in bash, zsh and fish."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from threading import Thread

import click
from click.shell_completion import CompletionItem, get_completion_class

from app.cli.project import examples, project_of

SECONDS = 1.0
"""How long a shell waits for words; a store on another machine may not answer."""
RUNS = 200
"""Run ids that are completed: those of the newest runs."""

Words = Callable[[click.Context], Iterable[tuple[str, str]]]
"""Words that may stand at a place, each with what a shell may say of it."""
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _quietly(words: Words) -> Complete:
    """Complete from these words; from none where they cannot be had, or not at once."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        found: list[CompletionItem] = []

        def find() -> None:
            try:
                found.extend(
                    CompletionItem(word, help=about or None)
                    for word, about in words(context)
                    if word.startswith(begun)
                )
            except Exception:  # noqa: BLE001 - a shell in the middle of a line shows no errors
                return

        with redirect_stderr(io.StringIO()):
            thread = Thread(target=find, daemon=True)
            thread.start()
            thread.join(SECONDS)
        return found

    return complete


def _flow_keys(context: click.Context) -> Iterable[tuple[str, str]]:
    files = project_of(context).settings.flows_dir.glob("[!.]*/v*.yaml")
    return [(key, "") for key in sorted({file.parent.name for file in files})]


def _versions(context: click.Context) -> Iterable[tuple[str, str]]:
    files = (project_of(context).settings.flows_dir / context.params["key"]).glob("v*.yaml")
    return [(file.stem, "") for file in sorted(files) if file.stem[1:].isdecimal()]


def _run_ids(context: click.Context) -> Iterable[tuple[str, str]]:
    project = project_of(context)
    found = project.siteswap.service.find(limit=RUNS) if project.has_store else ()
    return [(run.id, f"{run.flow_key} {run.status}") for run in found]


def _token_names(context: click.Context) -> Iterable[tuple[str, str]]:
    tokens = project_of(context).tokens.list()
    return [(token.name, "") for token in tokens if not token.inline]


flow_keys = _quietly(_flow_keys)
versions = _quietly(_versions)
run_ids = _quietly(_run_ids)
token_names = _quietly(_token_names)


@click.command(
    epilog=examples(
        """eval "$(siteswap completion bash)"           # in ~/.bashrc""",
        """eval "$(siteswap completion zsh)"            # in ~/.zshrc, after compinit""",
        "siteswap completion fish | source            # in ~/.config/fish/config.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    root = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(root.command, {}, "siteswap", "_SITESWAP_COMPLETE").source())
