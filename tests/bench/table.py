"""A table as plain text: the first column is names, the others are numbers."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Title, header and rows, in columns that line up."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    lines = [_line(cells, widths) for cells in (columns, *rows)]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join((title, "", *lines, ""))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join((first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)))
