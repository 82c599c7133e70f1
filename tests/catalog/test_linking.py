"""Flows that call each other, and what a change of one of them does to the others."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from app.catalog.catalog import Catalog
from app.engine.interpreter import Interpreter
from app.language.environment import Environment
from tests.engine.world import World

ONE = """
outputs: {n: integer}
steps:
  - return: {n: 1}
"""

RENAMED = ONE.replace("{n: ", "{m: ")
"""The same with another output."""


def calling(*names: str, plus: int = 0) -> str:
    """A flow whose output is the sum of those it calls."""
    calls = [f"  - {{id: {name}, call: {name}/v1}}" for name in names]
    total = " + ".join([str(plus), *(f"steps.{name}.n" for name in names)])
    end = f"  - return: {{n: '${{{total}}}'}}"
    return "\n".join(["outputs: {n: integer}", "steps:", *calls, end])


class Folder:
    """A flows folder and its catalog."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalog = Catalog(path, Environment, logging.getLogger("test"))

    def write(self, **texts: str) -> None:
        """Put flows in place, ``key="text"``, and let the catalog look."""
        for key, text in texts.items():
            file = self.path / key / "v1.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(".draft")
            draft.write_text(text, "utf-8")
            draft.rename(file)
        assert self.catalog.refresh()

    def remove(self, key: str) -> None:
        """Take a flow away, and let the catalog look."""
        (self.path / key / "v1.yaml").unlink()
        assert self.catalog.refresh()

    def run(self, key: str, **inputs: Any) -> Any:
        """The output ``n`` of a run."""
        program = self.catalog.get(key, "v1")
        return Interpreter(World().dependencies).run(program, inputs, {}, "sync_0123456789abcdef")[
            "n"
        ]

    @property
    def diagnostics(self) -> list[str]:
        """What is wrong with the files as they are now: keys and codes."""
        return [
            f"{entry.path.parent.name} {diagnostic.code}"
            for entry in self.catalog.entries()
            for diagnostic in entry.diagnostics
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """``a`` calls ``b``, which calls ``c``."""
    folder = Folder(tmp_path / "flows")
    folder.write(a=calling("b"), b=calling("c"), c=ONE)
    return folder


def test_a_change_reaches_all_callers(folder: Folder) -> None:
    """Those that call it, and those that call these."""
    assert folder.run("a") == 1
    folder.write(c=ONE.replace("1", "7"))
    assert (folder.run("a"), folder.run("b")) == (7, 7)


def test_a_broken_flow_is_called_as_it_was(folder: Folder) -> None:
    """Its last good version serves its callers, which can be changed meanwhile."""
    folder.write(c="steps: [")
    assert folder.run("a") == 1
    folder.write(b=calling("c", plus=10), d=calling("c", plus=100))
    assert (folder.run("a"), folder.run("d")) == (11, 101)
    assert {line.split()[0] for line in folder.diagnostics} == {"c"}


def test_a_flow_that_is_gone_is_missed(folder: Folder) -> None:
    """Its callers say so, and serve as before until it is back."""
    folder.remove("c")
    assert folder.diagnostics == ["a broken-flow", "b unknown-flow"]
    assert folder.run("a") == 1
    folder.write(c=ONE.replace("1", "3"))
    assert folder.diagnostics == []
    assert folder.run("a") == 3


@pytest.mark.parametrize(
    ("text", "diagnostic"),
    [
        (RENAMED, "b unknown-field"),
        ("inputs: {x: integer}\n" + ONE.replace("n: 1", "n: '${inputs.x}'"), "b missing-input"),
    ],
    ids=["loses an output", "needs an input"],
)
def test_a_change_that_a_caller_cannot_live_with(
    folder: Folder, text: str, diagnostic: str
) -> None:
    """It is the caller's error; the caller serves as before, with what it called before."""
    folder.write(c=text)
    assert diagnostic in folder.diagnostics
    assert (folder.run("a"), folder.run("b")) == (1, 1)
    folder.write(c=ONE.replace("1", "2"))
    assert folder.diagnostics == []
    assert folder.run("a") == 2


def test_an_edit_that_closes_a_circle(folder: Folder) -> None:
    """All in it say so, all serve as before, and one edit mends it."""
    folder.write(c=calling("a"))
    assert folder.diagnostics == ["a call-cycle", "b call-cycle", "c call-cycle"]
    assert (folder.run("a"), folder.run("c")) == (1, 1)
    folder.write(c=ONE.replace("1", "4"))
    assert folder.diagnostics == []
    assert folder.run("a") == 4


def test_a_circle_from_the_start(tmp_path: Path) -> None:
    """None of its flows is served; the others are."""
    folder = Folder(tmp_path / "flows")
    folder.write(a=calling("b"), b=calling("a"), c=ONE, d=calling("d"))
    assert folder.diagnostics == ["a call-cycle", "b call-cycle", "d call-cycle"]
    assert folder.run("c") == 1


def test_two_ways_to_one_flow(folder: Folder) -> None:
    """A change reaches the caller on both ways at once."""
    folder.write(d=calling("b", "c"))
    assert folder.run("d") == 2
    folder.write(c=ONE.replace("1", "5"))
    assert folder.run("d") == 10


def test_a_program_is_made_of_one_text_of_each_flow(folder: Folder, tmp_path: Path) -> None:
    """Where one of two ways is outdated, so is the caller of both; else a run had no replay."""
    folder.write(d=calling("b", "c"))
    folder.write(c=RENAMED)
    text = calling("b").replace("steps:", "steps:\n  - {id: c, call: c/v1}")
    for newer in (text, text + "\n# again"):
        folder.write(d=newer)
        assert "d broken-flow" in folder.diagnostics
        program = folder.catalog.get("d", "v1")
        assert folder.run("d") == 2
        other = Folder(tmp_path / "other")
        (tmp_path / "other").mkdir(exist_ok=True)
        source = program.source
        pinned = other.catalog.pinned("d", "v1", program.digest, source.__str__)
        assert pinned.digest == program.digest


def test_a_disabled_flow_can_be_called(folder: Folder) -> None:
    """So a flow is for other flows only."""
    folder.write(c="enabled: false\n" + ONE.replace("1", "6"))
    assert folder.run("a") == 6


def test_three_hundred_flows_that_call_each_other(tmp_path: Path) -> None:
    """Thirty chains of nine flows upon one, and one more look when that one changes."""
    texts = {"base": ONE}
    for chain in range(30):
        for level in range(9):
            below = f"f{chain}x{level - 1}" if level else "base"
            texts[f"f{chain}x{level}"] = calling(below)
    folder = Folder(tmp_path / "flows")
    began = time.monotonic()
    folder.write(**texts)
    folder.write(base=ONE.replace("1", "2"))
    assert time.monotonic() - began < 30
    assert folder.diagnostics == []
    assert folder.run("f29x8") == 2
    folder.write(top=calling("f0x8"), tip=calling("top"))
    assert folder.diagnostics == ["tip call-depth"]
