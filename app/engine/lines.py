"""Which line of a flow's file something stands in. Worked out when it is asked for: by failures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import getitem

from app.language.step import Path, Step
from app.yaml.document import load


def line_in_file(text: str, steps: Sequence[Step], step: Step, key: str, line: int) -> int:
    """The line of a file that a line of a step's value is; both count from 1.

    ``text`` is the file, ``steps`` are those of the flow, and ``key`` holds the value in the step.
    """
    place = ("steps", *(_path_to(step, steps) or ()), key)
    document = load(text)
    lines = reduce(getitem, place, document.data).split("\n")
    indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    return document.locate(place, sum(len(each) + 1 for each in lines[: line - 1]) + indent)[0]


def _path_to(wanted: Step, steps: Sequence[Step], path: Path = ()) -> Path | None:
    for index, step in enumerate(steps):
        here = (*path, index)
        if step is wanted:
            return here
        blocks = [(block.path, block.steps) for block in step.blocks()]
        for key, inner in [*blocks, (("on_error",), step.on_error or ())]:
            if found := _path_to(wanted, inner, (*here, *key)):
                return found
    return None
