"""The text of a ``python`` step, the body of a function, parsed when its file is loaded.

What the code reads of a flow is known then: the roots that no name of its own hides, and which of
their fields.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from app.expression import ROOTS, Compiled, Issue, Read
from app.language.fields import String, validation_error

MAX_SUMMARY = 60
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs,
          ast.MatchStar)  # fmt: skip
_Link = ast.Attribute | ast.Subscript
_ORDER = {"generators": 0, "iter": 0, "defaults": 0, "kw_defaults": 0, "value": 1}
"""Parts of a node that run before its other parts, and so before these give names a value."""

_DIVISIBLE = ("inputs", "steps", "vars", "env", "secrets")
"""Roots of which only the fields are sent that the code names, if it names all that it reads."""
_COPIES = ("vars", "steps")
_METHODS = frozenset(name for kind in (dict, list, str, int, float) for name in dir(kind))
"""Attributes that plain data has: any other was meant as a field."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a step. ``data`` evaluates to what it reads: root → value.

    ``issues`` are what is wrong with it although it is valid Python.
    """

    text: str
    data: Compiled
    issues: tuple[Issue, ...] = ()


class PythonCode(String):
    """The body of a function."""

    stand_in = Code("", Compiled(lambda _: {}))

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Code:  # type: ignore[override]
        text = super()._deserialize(value, *args, **options)
        if not text.strip():
            raise validation_error("empty", "there is no code", "write `return` and a value")
        try:
            return _code(text)
        except (RecursionError, MemoryError, ValueError, OverflowError):
            raise validation_error(
                "python-syntax", "the code is nested too deep to be read"
            ) from None


def _code(text: str) -> Code:
    reader = _Reader(_Places(text))
    for statement in _parsed(text, reader.places):
        reader.visit(statement)
    data = Compiled(_gatherer(reader.reads), tuple(reader.reads), source=_first(text))
    return Code(text, data, tuple(reader.issues))


def _first(text: str) -> str:
    line, _, rest = text.strip().partition("\n")
    cut = line[:MAX_SUMMARY]
    return f"{cut} …" if rest or cut != line else line


def _parsed(text: str, places: _Places) -> list[ast.stmt]:
    """The statements of the body.

    Raises:
        ValidationError: it is not Python, or not allowed in a function.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
            function = ast.parse("def step(): pass")
            function.body[0].body = body  # type: ignore[attr-defined]
            compile(function, "<step>", "exec")
    except SyntaxError as error:
        start = places.offset(error.lineno or 1, 0) + max(0, (error.offset or 1) - 1)
        start = min(start, len(text.rstrip()))
        raise ValidationError(
            [Issue("python-syntax", f"not Python: {error.msg}", start, 1)]
        ) from None
    return body


def _gatherer(reads: Iterable[Read]) -> Callable[[Any], dict[str, Any]]:
    """What gives the code its data: of each root the fields that are read, or all of them."""
    needs: dict[str, set[str] | None] = {}
    for root in ROOTS:
        paths = [read.path for read in reads if read.path[0] == root]
        is_divisible = root in _DIVISIBLE and all(len(path) > 1 for path in paths)
        if paths:
            needs[root] = {path[1] for path in paths} if is_divisible else None
    return lambda scope: {root: _part(getattr(scope, root), needs[root]) for root in needs}


def _part(value: Any, fields: set[str] | None) -> Any:
    if fields is not None:
        return {name: value[name] for name in fields if name in value}
    return dict(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True, slots=True)
class PythonRead(Read):
    """A read in Python's words: ``steps["login"]["body"]``."""

    def spelled(self, *path: str) -> str:
        return _spelled(path)

    @property
    def fallback(self) -> str:
        return (
            f'write `{self.path[0]}.get("{self.path[1]}")`, which is None where it is not defined'
        )


def _spelled(path: Iterable[str]) -> str:
    root, *fields = path
    return root + "".join(f'["{name}"]' for name in fields)


class _Places:
    """Turns lines and columns of a syntax tree, which count bytes, into offsets into the text."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        """The offset of a byte of a line, counted from 1; the nearest one if there is no such."""
        index = min(max(line, 1), len(self._lines)) - 1
        before = self._lines[index].encode()[: max(column, 0)]
        return self._starts[index] + len(before.decode("utf-8", "ignore"))

    def span(self, first: ast.expr, last: ast.expr) -> tuple[int, int]:
        """Where ``first`` begins, and the length to the end of ``last``, cut at the line's end."""
        start = self.offset(first.lineno, first.col_offset)
        end = self.offset(last.end_lineno or last.lineno, last.end_col_offset or 0)
        line_end = self._starts[min(first.lineno, len(self._lines))] - 1
        return start, max(1, min(end, line_end) - start)


class _Reader:
    """Walks code in the order in which it runs, and collects its ``reads`` and ``issues``.

    A name that the code has given a value is its own from there on, to the end of its scope.
    """

    def __init__(self, places: _Places) -> None:
        self.places = places
        self.reads: list[Read] = []
        self.issues: list[Issue] = []
        self._own: set[str] = set()
        self._is_nested = False
        self._with_get: dict[ast.expr, str] = {}

    def visit(self, node: ast.AST) -> None:
        """Read a node and what is in it."""
        if isinstance(node, ast.Name | _Link):
            self._chain(node)
            return
        if isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.AugAssign) and self._is_root(node.target):
            self._read(node.target, [])
        elif isinstance(node, ast.Yield | ast.YieldFrom) and not self._is_nested:
            message = "`yield` makes many values, and a step returns one"
            hint = "collect them in a list and return it"
            self._report("python-syntax", message, hint, node, node)
        if name := _bound(node):
            self._own.add(name)
        outer = self._own, self._is_nested
        if isinstance(node, _SCOPES):
            self._own = set(self._own)
            self._is_nested = self._is_nested or isinstance(node, _FUNCTIONS)
        for field in sorted(node._fields, key=lambda field: _ORDER.get(field, 2)):
            part = getattr(node, field, None)
            for child in part if isinstance(part, list) else [part]:
                if isinstance(child, ast.AST):
                    self.visit(child)
        self._own, self._is_nested = outer

    def _call(self, node: ast.Call) -> None:
        """``steps.get("x")`` reads a field that need not be there."""
        is_get = isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args
        if is_get and (key := _text(node.args[0])) is not None:
            self._with_get[node.func] = key

    def _is_root(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in ROOTS and node.id not in self._own

    def _chain(self, base: ast.expr) -> None:
        """A name, and the fields and indexes after it."""
        links: list[_Link] = []
        while isinstance(base, _Link):
            links.append(base)
            if isinstance(base, ast.Subscript):
                self.visit(base.slice)
            base = base.value
        if not isinstance(base, ast.Name):
            self.visit(base)
        elif isinstance(base.ctx, ast.Store):
            self._own.add(base.id)
        elif self._is_root(base):
            self._read(base, links[::-1])

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
        start, length = self.places.span(base, last)
        self.reads.append(PythonRead(tuple(path), start, length, (), safe))

    def _attribute(self, path: list[str], last: ast.expr, link: _Link) -> None:
        if isinstance(link, ast.Attribute) and link.attr not in _METHODS:
            message = f"data is plain here, so `.{link.attr}` is no field"
            hint = f"write `{_spelled([*path, link.attr])}`"
            self._report("python-field", message, hint, last, link)

    def _store(self, path: list[str], base: ast.expr, link: _Link) -> None:
        if len(path) == 1 and path[0] in _COPIES:
            message = f"this changes a copy of `{path[0]}`, which ends with the step"
            hint = "return the value, and give it a name with a `set` after the step"
            self._report("python-copy", message, hint, base, link)

    def _report(self, code: str, message: str, hint: str, first: ast.expr, last: ast.expr) -> None:
        self.issues.append(Issue(code, message, *self.places.span(first, last), hint))


def _bound(node: ast.AST) -> str | None:
    """The name that a node itself gives a value."""
    if isinstance(node, ast.alias):
        return (node.asname or node.name).partition(".")[0]
    if isinstance(node, ast.MatchMapping):
        return node.rest
    if isinstance(node, ast.arg):
        return node.arg
    return node.name if isinstance(node, _NAMED) else None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
