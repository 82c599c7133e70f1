"""A project folder, and a place to type ``siteswap …`` in."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from app.cli import main
from app.cli.project import Project
from tests.pages import SITESWAP


class Shell:
    """Types commands into this process; ``variables`` are settings, without their prefix."""

    def __init__(self, root: Path, **variables: str) -> None:
        self.root = root
        self.flows = root / "flows"
        self.flows.mkdir(exist_ok=True)
        self.environ = {f"SITESWAP_{name}": text for name, text in variables.items()}
        self.clock: Callable[[], float] = time.time

    def flow(self, name: str, text: str) -> Path:
        """Write ``flows/<name>.yaml``."""
        file = self.flows / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def run(self, *words: str, stdin: str | None = None, color: bool = False) -> Result:
        """``siteswap <words>``; with ``color`` as on a terminal."""
        project = Project(self.environ, self.root, clock=self.clock)
        return CliRunner(catch_exceptions=False).invoke(
            main, words, input=stdin, color=color, obj=project, prog_name="siteswap"
        )


def siteswap(
    folder: Path, *words: str, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """``siteswap <words>`` as a person types it, in a process of its own; warnings are errors."""
    return subprocess.run(
        [str(SITESWAP), *words],
        cwd=folder, env=environment(**variables), input=stdin,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process, without settings of the shell that runs the tests."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SITESWAP_")}
    return {**kept, "PYTHONUTF8": "1", "PYTHONWARNINGS": "error", "NO_COLOR": "", **variables}


def answer(done: Result) -> str:
    """What a command answered; nothing went wrong, and nothing else was said."""
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def refusal(done: Result) -> str:
    """The one sentence of a command that could not do it."""
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("Error: ").rstrip("\n")
