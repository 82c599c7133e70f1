"""One expression as it is written, and where it stands."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from app.expression.problem import Issue, TemplatePath


@dataclass(frozen=True, slots=True)
class Source:
    """An expression: ``text`` begins at ``offset`` of the scalar at ``path`` of a template.

    ``code`` is what Python parses: as long as ``text``, character by character and byte by byte,
    but with spaces for line breaks and with stand-ins for keywords that are field names.
    """

    text: str
    code: str
    offset: int = 0
    path: TemplatePath = ()

    def problem(self, node: ast.expr, code: str, message: str, hint: str | None = None) -> Issue:
        """A problem about the text of a syntax node."""
        start, end = self.span(node)
        return Issue(code, message, self.offset + start, end - start, hint, self.path)

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where a node begins and ends, in characters of ``text``."""
        return self._characters(node.col_offset), self._characters(node.end_col_offset or 0)

    def written(self, node: ast.expr) -> str:
        """A node's own text."""
        start, end = self.span(node)
        return self.text[start:end]

    def field(self, node: ast.Attribute) -> str:
        """The name behind the dot."""
        if node.attr.strip("_"):
            return node.attr
        end = self.span(node)[1]
        return self.text[end - len(node.attr) : end]

    def _characters(self, byte_offset: int) -> int:
        if self.code.isascii():
            return byte_offset
        return len(self.code.encode()[:byte_offset].decode())
