"""What a page of the docs shows: its fenced blocks, its flows, its commands and their output."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from types import MappingProxyType

from click.testing import CliRunner, Result

from app.cli import main
from app.cli.project import Project

PROJECT = Path(__file__).parents[1]
SITESWAP = Path(sys.executable).with_name("siteswap")
"""The console script that is installed beside this Python."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED_FILE = re.compile(r"# flows/((\w+)/(v\d+)|services)\.yaml\n")
SEPARATOR = "=====8<====="
OURS = re.compile(r"siteswap (?!serve)([^$`|<>;&\\]|'[^']*')*")
"""A command for which no shell is needed."""

Session = Sequence[tuple[str, str]]
"""Commands, each with the output shown below it."""


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def files(page: Path) -> dict[str, str]:
    """The files that a page shows whole: ``key/version`` and ``services``, with their texts."""
    shown = ((NAMED_FILE.match(text), text) for text in blocks(page, "yaml"))
    return {named[1]: text for named, text in shown if named}


def write(page: Path, folder: Path, changed: Mapping[str, str] = MappingProxyType({})) -> None:
    """Put the files of a page into a flows folder; ``changed`` is for ``services.yaml``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(page).items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(_replaced(text, changed) if name == "services" else text)


def session(block: str) -> Session:
    """The commands of a console block, each with the output shown below it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def perform(
    typed: Session,
    folder: Path,
    variables: Mapping[str, str],
    changed: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Type commands and compare what comes out with what is shown; ``…`` stands for anything.

    ``changed`` has what the page calls differently, and its real name. Commands of ours are typed
    into this process, which saves its start; with others among them, all go into one shell.
    """
    commands = [_replaced(command, changed) for command, _ in typed]
    if all(OURS.fullmatch(command) for command in commands):
        words = [shlex.split(command)[1:] for command in commands]
        outputs = [siteswap(folder, *each, variables=variables).output for each in words]
    else:
        outputs = _shell(commands, folder, variables)
    for (command, expected), output in zip(typed, outputs, strict=False):
        pattern = ".*?".join(map(re.escape, _replaced(expected, changed).strip().split("…")))
        assert re.fullmatch(pattern, output.strip(), re.DOTALL), f"$ {command}\n{output}"


def siteswap(folder: Path, *words: str, variables: Mapping[str, str]) -> Result:
    """``siteswap <words>`` in this folder and this process."""
    with chdir(folder):
        return CliRunner(catch_exceptions=False).invoke(
            main, words, obj=Project(variables, folder), prog_name="siteswap"
        )


def _shell(commands: Sequence[str], folder: Path, variables: Mapping[str, str]) -> list[str]:
    script = "\n".join(["exec 2>&1", *(f"{command}\necho '{SEPARATOR}'" for command in commands)])
    shell = subprocess.run(
        ["bash", "-c", script],
        cwd=folder, env=variables, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    return shell.stdout.decode().split(f"{SEPARATOR}\n")


def _replaced(text: str, changed: Mapping[str, str]) -> str:
    for old, new in changed.items():
        text = text.replace(old, new)
    return text


def with_siteswap(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment, with this interpreter's ``siteswap`` first in the path."""
    return {**variables, "PATH": f"{SITESWAP.parent}:{os.environ['PATH']}"}


def lint(folder: Path) -> str:
    """What ``siteswap lint`` says of the flows of a project folder."""
    return siteswap(folder, "lint", variables={}).output
