"""From source to something that can be evaluated. All issues of a value are reported at once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from app import strict_json
from app.expression.errors import ExpressionSyntaxError, Issue, TemplatePath
from app.expression.explain import FAULTS, explain
from app.expression.functions import FUNCTIONS
from app.expression.functions.reading import field_name, item, mixed_text, part, rounds
from app.expression.limits import MAX_ISSUES, Evaluation
from app.expression.scanner import FILENAME, Scan, Source, parse, scan
from app.expression.scope import Read, Scope
from app.expression.syntax import GRAMMAR
from app.expression.syntax.operators import HELPERS
from app.expression.template import parts
from app.expression.translator import EVALUATION, SCOPE, Helper, Translator
from app.expression.values import sized, written

_KEPT = 2_000
"""How many compiled texts are kept in case the same text comes again."""

_CALLABLE: tuple[Helper, ...] = (
    *HELPERS.values(),
    *(function.call for function in FUNCTIONS.values()),
    *(item, part, rounds, field_name, mixed_text, sized, written),
)
_GLOBALS: dict[str, Any] = {"__builtins__": {}, **{helper.__name__: helper for helper in _CALLABLE}}
"""Every name that compiled code can use, apart from its arguments and variables."""

_PLACE: dict[str, Any] = {"lineno": 1, "end_lineno": 1, "col_offset": 0, "end_col_offset": 0}


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression or a template as one function. Safe to share between threads.

    ``evaluate`` raises only :class:`app.expression.ExpressionError`. A ``constant`` holds no
    expression and gives the same value each time, which must not be changed. ``source`` is the
    text that was compiled, empty when it was a list or an object.
    """

    evaluate: Callable[[Scope], Any]
    reads: tuple[Read, ...] = ()
    constant: bool = False
    source: str = ""


@lru_cache(_KEPT)
def compile_expression(source: str) -> Compiled:
    """Compile a bare expression, as ``if`` and ``when`` hold it.

    Raises:
        ExpressionSyntaxError: it is not in the language; it holds all issues.
    """
    builder = _Builder()
    body = builder.expression(scan(source))
    return builder.compiled(body, source, constant=isinstance(body, ast.Constant))


def compile_template(value: Any) -> Compiled:
    """Compile a JSON value whose texts may hold ``${expression}``; names of fields are literal.

    Raises:
        ExpressionSyntaxError: an expression is not in the language; it holds all issues.
    """
    source = value if isinstance(value, str) else ""
    if not _holds_marks(value):
        return Compiled(lambda _: value, constant=True, source=source)
    return _compile_text(value) if isinstance(value, str) else _compile_value(value)


def _compile_value(value: Any) -> Compiled:
    builder = _Builder()
    body = builder.value(value)
    source = value if isinstance(value, str) else ""
    return builder.compiled(body, source, constant=not builder.sources)


_compile_text = lru_cache(_KEPT)(_compile_value)


def _holds_marks(value: Any) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(map(_holds_marks, value)) or any(map(_holds_marks, value.values()))
    return isinstance(value, list) and any(map(_holds_marks, value))


class _Builder:
    """Builds the Python of one value, and gathers what its expressions say.

    Each expression is one line of the Python: line ``n`` is ``sources[n - 1]``.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.issues: list[Issue] = []
        self.reads: list[Read] = []
        self.is_metered = False

    def value(self, value: Any, path: TemplatePath = ()) -> ast.expr:
        """Python for a template value: a display of its structure, expressions in their places."""
        if len(path) > strict_json.MAX_DEPTH:
            issue = Issue("too-deep", "the value is nested too deeply", 0, 1, None, path)
            self.issues.append(issue)
        elif isinstance(value, str):
            return self._text(value, path)
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
                self.issues.append(Issue("not-allowed", message, 0, 1, hint, (*path, key)))
        keys: list[ast.expr | None] = [_literal(key) for key in value]
        items = [self.value(item, (*path, key)) for key, item in value.items()]
        return ast.Dict(keys, items, **_PLACE)

    def _text(self, text: str, path: TemplatePath) -> ast.expr:
        """A text: literal, exactly one expression, or both mixed."""
        pieces = parts(text, path)
        if len(pieces) == 1 and pieces[0].scan is not None:
            return self.expression(pieces[0].scan)
        if all(piece.scan is None for piece in pieces):
            return _literal("".join(piece.literal for piece in pieces))
        python = [
            _literal(piece.literal) if piece.scan is None else self.expression(piece.scan, written)
            for piece in pieces
        ]
        first = next(python for python, piece in zip(python, pieces, strict=True) if piece.scan)
        place = {name: getattr(first, name) for name in _PLACE}
        name = ast.Name(mixed_text.__name__, ast.Load(), **place)
        return ast.Call(name, python, [], **place)

    def expression(self, scan: Scan, helper: Helper | None = None) -> ast.expr:
        """An expression, its result given to a helper if one is named."""
        self.sources.append(scan.source)
        if scan.issues:
            return self._report(scan.issues)
        parsed = parse(scan.source)
        if isinstance(parsed, Issue):
            return self._report([parsed])
        translator = Translator(GRAMMAR, scan.source, len(self.sources))
        result = translator.translate(parsed)
        if translator.issues:
            return self._report(translator.issues)
        if translator.can_repeat:
            result = translator.metered(sized, [result], parsed)
        self.reads += translator.reads
        self.is_metered |= translator.is_metered
        return translator.call(helper, [result], parsed) if helper else result

    def _report(self, issues: Iterable[Issue]) -> ast.expr:
        """Note the issues of one expression; the result takes its place."""
        self.issues += sorted(issues, key=attrgetter("offset"))[:MAX_ISSUES]
        return _literal(None)

    def compiled(self, body: ast.expr, source: str, *, constant: bool) -> Compiled:
        """Compile ``lambda scope, evaluation: body``, unless there are issues."""
        if self.issues:
            raise ExpressionSyntaxError(self.issues)
        names = [ast.arg(name, **_PLACE) for name in (SCOPE, EVALUATION)]
        arguments = ast.arguments([], names, None, [], [], None, [])
        tree = ast.Expression(ast.Lambda(arguments, body, **_PLACE))
        function = eval(compile(tree, FILENAME, "eval", dont_inherit=True), _GLOBALS)
        sources, is_metered = tuple(self.sources), self.is_metered

        def evaluate(scope: Scope) -> Any:
            evaluation = Evaluation(scope) if is_metered else None
            try:
                return function(scope, evaluation)
            except FAULTS as error:
                raise explain(error, sources, evaluation or Evaluation(scope)) from None

        return Compiled(evaluate, tuple(self.reads), constant, source)


def _literal(value: Any) -> ast.expr:
    return ast.Constant(value, **_PLACE)
