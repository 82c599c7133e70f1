"""What Python code reads of a flow: the roots that no scope of its own hides, and their fields."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.expression import ROOTS, Issue, Read

_METHODS = frozenset(name for kind in (dict, list, str, int, float) for name in dir(kind))
"""Attributes that plain data has: any other was meant as a field."""

_COPIES = ("vars", "steps")
_Link = ast.Attribute | ast.Subscript


@dataclass(frozen=True, slots=True)
class PythonRead(Read):
    """A read in Python's words: ``steps["login"]["body"]``."""

    def spelled(self, *path: str) -> str:
        return path[0] + "".join(f'["{name}"]' for name in path[1:])

    @property
    def fallback(self) -> str:
        return (
            f'write `{self.path[0]}.get("{self.path[1]}")`, which is None where it is not defined'
        )


class CodePlaces:
    """Turns places of a syntax tree, lines and bytes in them, into offsets into the text."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        """The offset of a byte of a line, which counts from 1; of the nearest that there is."""
        index = min(max(line, 1), len(self._lines)) - 1
        before = self._lines[index].encode()[: max(column, 0)]
        return self._starts[index] + len(before.decode("utf-8", "ignore"))

    def span(self, first: ast.expr, last: ast.expr | ast.stmt | None = None) -> tuple[int, int]:
        """Where a node begins, and how long it is on its line, or up to the end of ``last``."""
        last = last or first
        start = self.offset(first.lineno, first.col_offset)
        end = self.offset(last.end_lineno or last.lineno, last.end_col_offset or 0)
        line_end = self._starts[min(first.lineno, len(self._lines))] - 1
        return start, max(1, min(end, line_end) - start)


class Reader(ast.NodeVisitor):
    """Walks code in the order in which it runs; ``reads`` and ``problems`` are what it found.

    A name that the code has given a value itself is its own from there on.
    """

    def __init__(self, places: CodePlaces) -> None:
        self.reads: list[Read] = []
        self.problems: list[Issue] = []
        self._places = places
        self._own: set[str] = set()
        self._with_get: dict[ast.expr, str] = {}

    # Reads

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._own.add(node.id)
        elif self._is_root(node):
            self._read(node, [])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._chain(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._chain(node)

    def visit_Call(self, node: ast.Call) -> None:
        """``steps.get("x")`` reads a field that need not be there."""
        is_get = isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args
        if is_get and (key := _text(node.args[0])) is not None:
            self._with_get[node.func] = key
        self.generic_visit(node)

    def _is_root(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in ROOTS and node.id not in self._own

    def _chain(self, node: _Link) -> None:
        links = [node]
        while isinstance(links[-1].value, _Link):
            links.append(links[-1].value)
        base = links[-1].value
        for link in links:
            if isinstance(link, ast.Subscript):
                self.visit(link.slice)
        if self._is_root(base):
            self._read(base, links[::-1])
        else:
            self.visit(base)

    def _read(self, base: ast.expr, links: list[_Link]) -> None:
        path, last, safe = [base.id], base, False  # type: ignore[attr-defined]
        for link in links:
            if not isinstance(link.ctx, ast.Load):
                self._store(path, base, link)
                break
            key = _text(link.slice) if isinstance(link, ast.Subscript) else self._with_get.get(link)
            if key is None:
                self._attribute(path, last, link)
                break
            path.append(key)
            last = link
            if safe := isinstance(link, ast.Attribute):
                break
        start, length = self._places.span(base, last)
        self.reads.append(PythonRead(tuple(path), start, length, (), safe))

    def _attribute(self, path: list[str], last: ast.expr, link: _Link) -> None:
        if isinstance(link, ast.Subscript) or link.attr in _METHODS:
            return
        start, length = self._places.span(last, link)
        message = f"data is plain here, so `.{link.attr}` is no field"
        hint = f"write `{PythonRead(tuple(path), 0, 0, (), False).spelled(*path, link.attr)}`"
        self.problems.append(Issue("python-field", message, start, length, hint))

    def _store(self, path: list[str], base: ast.expr, link: _Link) -> None:
        if len(path) == 1 and path[0] in _COPIES:
            start, length = self._places.span(base, link)
            message = f"this changes a copy of `{path[0]}`, which ends with the step"
            hint = "return the value, and give it a name with a `set` after the step"
            self.problems.append(Issue("python-copy", message, start, length, hint))

    # The order in which names are bound

    def visit_Assign(self, node: ast.Assign) -> None:
        self._each([node.value, *node.targets])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._each(filter(None, [node.value, node.target]))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if self._is_root(node.target):
            self._read(node.target, [])
        self._each([node.value, node.target])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._each([node.value, node.target])

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._each([node.iter, node.target, *node.body, *node.orelse])

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._each([node.iter, node.target, *node.ifs])

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        with self._scope():
            self._each([*node.generators, node.elt])

    visit_SetComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_DictComp(self, node: ast.DictComp) -> None:
        with self._scope():
            self._each([*node.generators, node.key, node.value])

    def visit_alias(self, node: ast.alias) -> None:
        self._own.add((node.asname or node.name).partition(".")[0])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._named(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._named(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._named(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._own.add(node.name)
        self.visit_Lambda(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._own.add(node.name)
        with self._scope():
            self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        with self._scope():
            self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self._own.add(node.arg)

    def _named(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._own.add(node.name)
        self.generic_visit(node)

    def _each(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        outer = self._own
        self._own = set(outer)
        yield
        self._own = outer


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
