"""What commands print: tables, JSON, and colours where a terminal shows them.

Colours are always written; ``click.echo`` takes them out unless it writes to a terminal.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

import click

_COLOURS = {
    "FINISH": "green", "ABORT": "red", "RUNNING": "yellow", "UNKNOWN": "yellow",
    "enabled": "green", "active": "green", "broken": "red", "expired": "red",
    "error": "red", "warning": "yellow",
}  # fmt: skip
_COLOURED = ("STATUS", "STATE")

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, for tools.")


def echo_json(value: object) -> None:
    """For tools: the same whether or not a terminal shows it."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def coloured(text: str) -> str:
    """A text in the colour of its first word, if that has one."""
    colour = _COLOURS.get(text.partition(" ")[0])
    return click.style(text, fg=colour) if colour else text


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell; Chinese characters count as two."""
    widths = [max(map(_width, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str], *, is_heading: bool = False) -> str:
        spaces = [" " * (size - _width(cell)) for cell, size in zip(cells, widths, strict=True)]
        if is_heading:
            shown = [click.style(cell, bold=True) for cell in cells]
        else:
            named = zip(headings, cells, strict=True)
            shown = [coloured(cell) if name in _COLOURED else cell for name, cell in named]
        return "  ".join(map("".join, zip(shown, spaces, strict=True))).rstrip()

    return "\n".join([line(headings, is_heading=True), *map(line, rows)])


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
