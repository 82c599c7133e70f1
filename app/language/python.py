"""The text of a ``python`` step, parsed when its file is loaded: the body of a function."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from app.expression import ROOTS, Compiled, Issue, Read
from app.language.fields import String, validation_error
from app.language.python_reads import CodePlaces, Reader

MAX_SUMMARY = 60
_OWN_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DIVISIBLE = ("inputs", "steps", "vars", "env", "secrets")
"""Roots of which only the fields are sent that the code names, if it names all that it reads."""


@dataclass(frozen=True, slots=True)
class Code:
    """``data`` gives what the code reads, an object with a field for each root it names.

    ``problems`` are what is wrong with code that is Python otherwise.
    """

    text: str
    data: Compiled
    problems: tuple[Issue, ...] = ()


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
    places = CodePlaces(text)
    body = _parsed(text, places)
    reader = Reader(places)
    for statement in body:
        reader.visit(statement)
    data = Compiled(_gatherer(_needs(reader.reads)), tuple(reader.reads), source=_first(text))
    return Code(text, data, (*reader.problems, *_yields(body, places)))


def _first(text: str) -> str:
    line, _, rest = text.strip().partition("\n")
    cut = line if len(line) <= MAX_SUMMARY else line[:MAX_SUMMARY]
    return f"{cut} …" if rest or cut != line else line


def _parsed(text: str, places: CodePlaces) -> list[ast.stmt]:
    """The statements of the body.

    Raises:
        ValidationError: it is not Python, or cannot stand in a function.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
            function = ast.parse("def step(): pass")
            function.body[0].body = body  # type: ignore[attr-defined]
            compile(function, "<step>", "exec")
    except SyntaxError as error:
        raise ValidationError([_syntax(error, text, places)]) from None
    return body


def _syntax(error: SyntaxError, text: str, places: CodePlaces) -> Issue:
    start = places.offset(error.lineno or 1, 0) + max(0, (error.offset or 1) - 1)
    message = f"not Python: {error.msg}"
    return Issue("python-syntax", message, min(start, len(text.rstrip())), 1)


def _yields(nodes: Iterable[ast.AST], places: CodePlaces) -> Iterator[Issue]:
    for node in nodes:
        if isinstance(node, ast.Yield | ast.YieldFrom):
            message = "`yield` makes many values, and a step returns one"
            hint = "collect them in a list and return it"
            yield Issue("python-syntax", message, *places.span(node), hint)
        elif not isinstance(node, _OWN_SCOPES):
            yield from _yields(ast.iter_child_nodes(node), places)


def _needs(reads: Iterable[Read]) -> dict[str, frozenset[str] | None]:
    """Root → the fields of it that are read, ``None`` for all; in the order of the roots."""
    found: dict[str, frozenset[str] | None] = {}
    for root in ROOTS:
        paths = [read.path for read in reads if read.path[0] == root]
        is_divisible = root in _DIVISIBLE and all(len(path) > 1 for path in paths)
        if paths:
            found[root] = frozenset(path[1] for path in paths) if is_divisible else None
    return found


def _gatherer(needs: Mapping[str, frozenset[str] | None]) -> Callable[[Any], dict[str, Any]]:
    def gather(scope: Any) -> dict[str, Any]:
        return {root: _part(getattr(scope, root), fields) for root, fields in needs.items()}

    return gather


def _part(value: Any, fields: frozenset[str] | None) -> Any:
    if fields is not None:
        return {name: value[name] for name in fields if name in value}
    return dict(value) if isinstance(value, Mapping) else value
