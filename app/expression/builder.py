"""From the expressions of one value to one Python function that makes the value."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from app import strict_json
from app.expression.explain import FILENAME
from app.expression.grammar import GRAMMAR
from app.expression.helpers import HELPERS
from app.expression.limits import MAX_PROBLEMS
from app.expression.parser import parse
from app.expression.problem import Issue, TemplatePath
from app.expression.read import Read
from app.expression.runtime.evaluation import Evaluation
from app.expression.scanner import Scan
from app.expression.scope import Scope
from app.expression.source import Source
from app.expression.template import Part, parts
from app.expression.translator import EVALUATION, SCOPE, Translator

Function = Callable[[Scope, Evaluation | None], Any]

_PLACE: dict[str, Any] = {"lineno": 1, "end_lineno": 1, "col_offset": 0, "end_col_offset": 0}


class ExpressionBuilder:
    """Builds Python for one value, and gathers what its expressions say.

    Each expression is one line of the Python: line ``n`` is ``sources[n - 1]``.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.problems: list[Issue] = []
        self.reads: list[Read] = []
        self.is_metered = False

    def value(self, value: Any, path: TemplatePath = ()) -> ast.expr:
        """Python for a template value: a display of its structure, expressions in their places."""
        if len(path) > strict_json.MAX_DEPTH:
            self.problems.append(
                Issue("too-deep", "the value is nested too deeply", 0, 1, None, path)
            )
        elif isinstance(value, str):
            return self.text(value, path)
        elif isinstance(value, list):
            items = [self.value(item, (*path, index)) for index, item in enumerate(value)]
            return ast.List(items, ast.Load(), **_PLACE)
        elif isinstance(value, dict):
            return self._object(value, path)
        return _literal(value)

    def _object(self, value: dict[str, Any], path: TemplatePath) -> ast.expr:
        for key in value:
            if "${" in key:
                message, hint = "the name of a field is literal text", "write the name out"
                self.problems.append(Issue("not-allowed", message, 0, 1, hint, (*path, key)))
        keys: list[ast.expr | None] = [_literal(key) for key in value]
        items = [self.value(item, (*path, key)) for key, item in value.items()]
        return ast.Dict(keys, items, **_PLACE)

    def text(self, text: str, path: TemplatePath) -> ast.expr:
        """A text: literal, exactly one expression, or both mixed."""
        pieces = parts(text, path)
        if len(pieces) == 1 and pieces[0].scan is not None:
            return self.expression(pieces[0].scan)
        if all(piece.scan is None for piece in pieces):
            return _literal("".join(piece.literal for piece in pieces))
        return self._mixed(pieces)

    def _mixed(self, pieces: list[Part]) -> ast.expr:
        written = [
            _literal(piece.literal)
            if piece.scan is None
            else self.expression(piece.scan, "written")
            for piece in pieces
        ]
        first = next(python for python, piece in zip(written, pieces, strict=True) if piece.scan)
        place = {name: getattr(first, name) for name in _PLACE}
        return ast.Call(ast.Name("mixed_text", ast.Load(), **place), written, [], **place)

    def expression(self, scan: Scan, helper: str | None = None) -> ast.expr:
        """An expression, its result given to a helper if one is named."""
        self.sources.append(scan.source)
        if scan.problems:
            return self._report(scan.problems)
        parsed = parse(scan.source)
        if isinstance(parsed, Issue):
            return self._report([parsed])
        translator = Translator(GRAMMAR, scan.source, len(self.sources))
        result = translator.translate(parsed)
        if translator.problems:
            return self._report(translator.problems)
        if translator.can_repeat:
            result = translator.metered("sized", [result], parsed)
        self.reads += translator.reads
        self.is_metered |= translator.is_metered
        return translator.call(helper, [result], parsed) if helper else result

    def _report(self, problems: Iterable[Issue]) -> ast.expr:
        """Note the problems of one expression; the result stands in for it."""
        self.problems += sorted(problems, key=attrgetter("offset"))[:MAX_PROBLEMS]
        return _literal(None)


def function(body: ast.expr) -> Function:
    """Compile ``lambda scope, evaluation: body``."""
    names = [ast.arg(name, **_PLACE) for name in (SCOPE, EVALUATION)]
    arguments = ast.arguments([], names, None, [], [], None, [])
    tree = ast.Expression(ast.Lambda(arguments, body, **_PLACE))
    code = compile(tree, FILENAME, "eval", dont_inherit=True)
    result: Function = eval(code, HELPERS)
    return result


def _literal(value: Any) -> ast.expr:
    return ast.Constant(value, **_PLACE)
