"""What commands print: help, tables, and colours where a terminal shows them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli import main
from app.cli.output import table
from tests.cli.shell import Shell, environment, siteswap
from tests.pages import SITESWAP

RED, GREEN = "\x1b[31m", "\x1b[32m"


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, as the words that name it."""
    yield words
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


@pytest.mark.parametrize("words", [*commands(main)], ids=" ".join)
def test_help_reads_well(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Each page begins with a sentence, and a command's shows how it is typed."""
    shown = Shell(tmp_path).run(*words, "--help").stdout
    usage, _, summary, *rest = shown.splitlines()
    assert usage.startswith(" ".join(["Usage: siteswap", *words]))
    assert re.fullmatch(r"  [A-Z].*\.", summary)
    assert "..." not in "".join(rest)
    assert all(len(line) <= 100 for line in rest)
    if words and "Commands:" not in rest:
        assert any(" ".join(["siteswap", *words]) in line for line in rest)


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    """For bug reports."""
    done = siteswap(tmp_path, "--version")
    assert re.fullmatch(r"siteswap \d+\.\d+\.\d+\n", done.stdout)


def test_a_table_is_padded_and_its_state_coloured() -> None:
    """A Chinese character takes two columns; only the column of the state has a colour."""
    shown = table(("FLOW", "STATE", "NAME"), [("broken", "enabled", "登录"), ("b", "broken", "x")])
    assert RED not in shown.splitlines()[1]
    assert GREEN in shown.splitlines()[1]
    assert RED in shown.splitlines()[2]
    assert click.unstyle(shown) == (
        "FLOW    STATE    NAME\nbroken  enabled  登录\nb       broken   x"
    )


def on_a_terminal(folder: Path, *words: str, **variables: str) -> str:
    """What a terminal gets."""
    screen, terminal = pty.openpty()
    try:
        subprocess.run(
            [str(SITESWAP), *words], cwd=folder, env=environment(**variables),
            stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, check=False, timeout=60,
        )  # fmt: skip
        return os.read(screen, 100_000).decode()
    finally:
        os.close(terminal)
        os.close(screen)


@pytest.mark.parametrize("words", [["list"], ["lint"]], ids=" ".join)
def test_colours_are_for_terminals(tmp_path: Path, words: list[str]) -> None:
    """Not for pipes, and not where NO_COLOR is set."""
    Shell(tmp_path).flow("broken/v1", "steps:\n  - retrun: {}\n")
    assert RED in on_a_terminal(tmp_path, *words)
    assert "\x1b" not in on_a_terminal(tmp_path, *words, NO_COLOR="1")
    assert "\x1b" not in siteswap(tmp_path, *words).stdout
