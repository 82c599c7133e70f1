"""What a page of the docs shows: its fenced blocks, its files, its commands and their output."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from click.testing import CliRunner, Result

from app.cli import main
from app.cli.project import Project

PROJECT = Path(__file__).parents[1]
SITESWAP = Path(sys.executable).with_name("siteswap")
"""The console script that is installed beside this Python."""
README = PROJECT / "README.md"
COOKBOOK = sorted((PROJECT / "docs" / "cookbook").glob("*.md"))
PAGES = [README, *sorted((PROJECT / "docs").glob("*.md"))]
"""All but those of the cookbook: the servers that its commands need are in tests/cookbook."""

HEADING_OR_BLOCK = re.compile(r"^#+ ([^\n]+)$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED_FILE = re.compile(r"# flows/(\w+/v\d+|services)\.yaml\n")
SEPARATOR = "=====8<====="
OURS = re.compile(r"siteswap (?!serve)([^$`|<>;&\\]|'[^']*')*")
"""A command for which no shell is needed."""
Session = Sequence[tuple[str, str]]
"""Commands, each with the output shown below it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and the heading that it is below."""

    language: str
    text: str
    heading: str

    @property
    def file(self) -> str | None:
        """Of a flow or services file its name: ``key/version``, or ``services``."""
        named = NAMED_FILE.match(self.text) if self.language == "yaml" else None
        return named[1] if named else None


def all_blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    heading = ""
    for match in HEADING_OR_BLOCK.finditer(page.read_text()):
        if match[1]:
            heading = match[1]
        else:
            yield Block(match[2], match[3], heading)


def blocks(page: Path, language: str) -> list[str]:
    """The texts of the fenced blocks in one language."""
    return [block.text for block in all_blocks(page) if block.language == language]


def files(page: Path) -> dict[str, str]:
    """The files that a page shows, by their names; the last text of one that is shown again."""
    return {block.file: block.text for block in all_blocks(page) if block.file}


def write(page: Path, folder: Path, changed: Mapping[str, str] = MappingProxyType({})) -> None:
    """Put the files of a page into a flows folder; ``changed`` is for ``services.yaml``."""
    for name, text in files(page).items():
        write_file(folder, name, _replaced(text, changed) if name == "services" else text)


def write_file(folder: Path, name: str, text: str) -> None:
    """Put one file into a flows folder, unless it is there as it should be."""
    file = folder / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


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

    ``changed`` has what the page calls differently, and its real name. Commands of ours that write
    no log are typed into this process, which saves its start; with others among them, all go into
    one shell.
    """
    commands = [_replaced(command, changed) for command, _ in typed]
    if all(OURS.fullmatch(each) for each in commands) and not any(_logs(*each) for each in typed):
        words = [shlex.split(command)[1:] for command in commands]
        outputs = [siteswap(folder, *each, variables=variables).output for each in words]
    else:
        outputs = _shell(commands, folder, variables)
    for (command, expected), output in zip(typed, outputs, strict=False):
        pattern = ".*?".join(map(re.escape, _replaced(expected, changed).strip().split("…")))
        assert re.fullmatch(pattern, output.strip(), re.DOTALL), f"$ {command}\n{output}"


def _logs(command: str, shown: str) -> bool:
    """Whether a run shows more than its envelope."""
    return command.startswith("siteswap run ") and not shown.startswith("{")


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
    """The environment, with this installation's ``siteswap`` first in the path."""
    return {**variables, "PATH": f"{SITESWAP.parent}:{os.environ['PATH']}"}
