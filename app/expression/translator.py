"""Translates the syntax tree of one expression into the syntax tree that Python compiles.

A grammar says how each kind of syntax node becomes Python. A node without an entry is not part of
the language: the table is the white list. Translating goes on after an issue, so that all issues
of an expression are found at once.

Where an operator needs care it becomes the call of a helper, placed at the line and columns of the
operator in the source. So the traceback of an error shows the place (PEP 657).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from app.expression.errors import Issue
from app.expression.limits import MAX_NESTING
from app.expression.scanner import Source
from app.expression.scope import ROOTS, Read

Helper = Callable[..., Any]
"""A function that compiled code calls by its ``__name__``."""

Grammar = Mapping[type[ast.AST], Callable[["Translator", Any], ast.expr]]

LITERAL_NAMES: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}

SCOPE = "scope"
EVALUATION = "evaluation"
"""The two arguments of compiled functions."""

VARIABLE = "v_{}"
"""The Python name of an author's variable: never that of an argument or a helper."""


_Node = TypeVar("_Node", ast.expr, ast.Constant, ast.arg)


class Translator:
    """Translates the nodes of one expression. ``line`` becomes the line of all its Python code."""

    def __init__(self, grammar: Grammar, source: Source, line: int) -> None:
        self.source = source
        self.issues: list[Issue] = []
        self.reads: list[Read] = []
        self.names: frozenset[str] = frozenset()
        """The variables of the comprehensions that the current node is in."""
        self.is_safe = False
        """Whether the current node may read what is missing."""
        self.cost = 0
        """Units of work of everything translated so far, done once."""
        self.is_metered = False
        """Whether the code needs an evaluation to pay with."""
        self.can_repeat = False
        """Whether data decides how often some value occurs in the result."""
        self.depth = 0
        """How many constructs the current node is in."""
        self._grammar = grammar
        self._line = line

    def translate(self, node: ast.expr) -> ast.expr:
        """Python for a node; any expression at all when there was an issue."""
        translation = self._grammar.get(type(node))
        if translation is None:
            return self.refuse(node)
        self.depth += 1
        self.cost += 1
        result = translation(self, node) if self.depth <= MAX_NESTING else self.too_deep(node)
        self.depth -= 1
        return result

    def knows(self, name: str) -> bool:
        """Whether a name is a variable, a root or a literal."""
        return name in self.names or name in ROOTS or name in LITERAL_NAMES

    def too_deep(self, node: ast.expr) -> ast.expr:
        """Report that a node is nested in too many others."""
        return self.report(node, "too-deep", "the expression is nested too deeply")

    def refuse(self, node: ast.expr) -> ast.expr:
        """Report a construct of Python that is not part of the language."""
        construct, hint = _REFUSALS.get(type(node), ("this", None))
        return self.report(node, "not-allowed", f"{construct} is not part of the language", hint)

    def report(self, node: ast.expr, code: str, message: str, hint: str | None = None) -> ast.expr:
        """Report an issue; the result takes the place of the node."""
        self.issues.append(self.source.issue(node, code, message, hint))
        return self.constant(None, node)

    def keep(self, node: ast.expr) -> ast.expr:
        """A syntax node that is Python already, its parts translated."""
        node.lineno = node.end_lineno = self._line
        return node

    def placed(self, node: _Node, at: ast.expr) -> _Node:
        """A new node, at the place of ``at``."""
        node.lineno = node.end_lineno = self._line
        node.col_offset, node.end_col_offset = at.col_offset, at.end_col_offset
        return node

    def constant(self, value: Any, at: ast.expr) -> ast.Constant:
        """A literal."""
        return self.placed(ast.Constant(value), at)

    def name(self, name: str, at: ast.expr) -> ast.expr:
        """A name of compiled code: an argument, a variable, or a helper."""
        return self.placed(ast.Name(name, ast.Load()), at)

    def call(self, helper: Helper, arguments: Sequence[ast.expr], at: ast.expr) -> ast.expr:
        """A call of a helper."""
        return self.placed(ast.Call(self.name(helper.__name__, at), [*arguments], []), at)

    def metered(self, helper: Helper, arguments: Sequence[ast.expr], at: ast.expr) -> ast.expr:
        """A call of a helper whose work depends on data: it gets the evaluation as well."""
        self.is_metered = True
        return self.call(helper, [self.name(EVALUATION, at), *arguments], at)

    def function(self, parameters: Sequence[str], body: ast.expr, at: ast.expr) -> ast.expr:
        """A function, for what is evaluated later or never."""
        names = [self.placed(ast.arg(name), at) for name in parameters]
        return self.placed(ast.Lambda(ast.arguments([], names, None, [], [], None, []), body), at)


_REFUSALS: Mapping[type[ast.AST], tuple[str, str | None]] = {
    ast.Starred: ("`*`", "write `a + b` to put lists together"),
    ast.Tuple: ("a list without brackets", "write `[a, b]`"),
    ast.Set: ("`{ }` around values", "write `${x}` instead of `${{ x }}`; a list is `[a, b]`"),
    ast.SetComp: ("a set", "write `unique([… for … in …])`"),
    ast.GeneratorExp: ("`for` without brackets", "write `[… for … in …]`"),
}
