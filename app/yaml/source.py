"""A text, its places as lines and columns, and its small repairs.

After a mistake that has one evident repair the parser continues with the repaired text, so that one
run reports all mistakes of a file. Places always refer to the text as it was given.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from app.yaml.diagnostics import Diagnostic, Severity

Edit = tuple[int, int, str]
"""Put this text in place of ``[start, end)``; it is never shorter, and adds no line break."""


@dataclass(frozen=True, slots=True)
class TextIssue:
    """A finding whose place is still a range of offsets into ``Source.text``."""

    start: int
    end: int
    code: str
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR
    repair: tuple[Edit, ...] = ()
    """Edits that say what the author meant; empty if nobody can know."""


class SourceText:
    """A text with line breaks ``\\n``, perhaps repaired."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._inserted: list[int] = []
        self._starts: list[int] = []

    def repaired(self, edits: Iterable[Edit]) -> SourceText:
        """This text with the edits made. Edits do not overlap."""
        pieces, inserted, after, grown = list[str](), list[int](), 0, 0
        for start, end, new in sorted(edits):
            inserted += (offset + grown for offset in self._inserted_in(after, end))
            pieces += self.text[after:start], new
            inserted += range(end + grown, start + grown + len(new))
            after, grown = end, grown + len(new) - (end - start)
        inserted += (offset + grown for offset in self._inserted_in(after, len(self.text)))
        result = SourceText("".join([*pieces, self.text[after:]]))
        result._inserted, result._starts = inserted, self._line_starts()
        return result

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, that an offset into ``text`` has in the text as given."""
        offset = self._given(offset)
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def length(self, start: int, end: int) -> int:
        """How many characters of the text as given ``[start, end)`` covers on its first line.

        At least 1, so that there is something to underline.
        """
        newline = self.text.find("\n", start, end)
        end = end if newline < 0 else newline
        return max(1, self._given(end) - self._given(start))

    def diagnostic(self, problem: TextIssue) -> Diagnostic:
        """The problem as a finding at its place."""
        line, column = self.position(problem.start)
        length = self.length(problem.start, problem.end)
        return Diagnostic(
            line, column, problem.severity, problem.code, problem.message, problem.hint, length
        )

    def _given(self, offset: int) -> int:
        return offset - bisect_left(self._inserted, offset)

    def _inserted_in(self, start: int, end: int) -> list[int]:
        return self._inserted[bisect_left(self._inserted, start) : bisect_left(self._inserted, end)]

    def _line_starts(self) -> list[int]:
        if not self._starts:
            self._starts = [0]
            find, newline = self.text.find, self.text.find("\n")
            while newline >= 0:
                self._starts.append(newline + 1)
                newline = find("\n", newline + 1)
        return self._starts


class TextIssueError(Exception):
    """Reading cannot go on behind this problem, unless it is repaired."""

    def __init__(self, problem: TextIssue) -> None:
        super().__init__(problem.message)
        self.problem = problem
