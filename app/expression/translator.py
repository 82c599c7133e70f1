"""The Translator contract: a grammar at work on one expression.

The grammar says for each kind of syntax node how it becomes Python. What has no translation is not
part of the language: the table *is* the white list. Translating goes on after a mistake, so that
all mistakes of an expression are found at once.

Where an operator needs care it becomes the call of a helper, which stands at the very place of the
operator in the source. An error's traceback then shows the place, and nothing carries it around.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.expression.limits import MAX_NESTING
from app.expression.problem import Issue
from app.expression.read import Read
from app.expression.scope import ROOTS
from app.expression.source import Source

Grammar = Mapping[type[ast.AST], Callable[["Translator", Any], ast.expr]]

LITERAL_NAMES: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}

SCOPE = "scope"
EVALUATION = "evaluation"
"""The two arguments of compiled functions. Names of the author's own never look like these."""


class Translator:
    """Translates the nodes of one expression. ``line`` becomes the line of all its Python code."""

    def __init__(self, grammar: Grammar, source: Source, line: int) -> None:
        self.source = source
        self.problems: list[Issue] = []
        self.reads: list[Read] = []
        self.names: frozenset[str] = frozenset()
        """The variables of the comprehensions around the current node."""
        self.is_safe = False
        """Whether the current node may read what is missing."""
        self.cost = 0
        """Units of work of everything translated so far, done once."""
        self.is_metered = False
        self.can_repeat = False
        """Whether data decides how often some value occurs in the result."""
        self.depth = 0
        """How many constructs the current node stands in."""
        self._grammar = grammar
        self._line = line

    def translate(self, node: ast.expr) -> ast.expr:
        """Python for a node; any expression at all when there was a problem."""
        translation = self._grammar.get(type(node))
        if translation is None:
            return self.refuse(node)
        self.depth += 1
        self.cost += 1
        result = translation(self, node) if self.depth <= MAX_NESTING else self.too_deep(node)
        self.depth -= 1
        return result

    def knows(self, name: str) -> bool:
        """Whether a name stands for something: a variable, a root or a literal."""
        return name in self.names or name in ROOTS or name in LITERAL_NAMES

    def too_deep(self, node: ast.expr) -> ast.expr:
        """Report that a node stands inside too many others."""
        return self.problem(node, "too-deep", "the expression is nested too deeply")

    def refuse(self, node: ast.expr) -> ast.expr:
        """Report a construct of Python that is none of ours."""
        construct, hint = _REFUSALS.get(type(node), ("this", None))
        return self.problem(node, "not-allowed", f"{construct} is not part of the language", hint)

    def problem(self, node: ast.expr, code: str, message: str, hint: str | None = None) -> ast.expr:
        """Report a mistake; the result stands in for the node."""
        self.problems.append(self.source.problem(node, code, message, hint))
        return self.constant(None, node)

    def keep(self, node: ast.expr) -> ast.expr:
        """A syntax node that is Python already, its parts translated."""
        node.lineno = node.end_lineno = self._line
        return node

    def constant(self, value: Any, at: ast.expr) -> ast.Constant:
        """A literal."""
        return ast.Constant(value, **self._place(at))

    def name(self, name: str, at: ast.expr) -> ast.expr:
        """A name of compiled code: an argument, a variable, or a helper."""
        return ast.Name(name, ast.Load(), **self._place(at))

    def call(self, helper: str, arguments: Sequence[ast.expr], at: ast.expr) -> ast.expr:
        """A call of a helper, which stands at the place of ``at``."""
        return ast.Call(self.name(helper, at), list(arguments), [], **self._place(at))

    def metered(self, helper: str, arguments: Sequence[ast.expr], at: ast.expr) -> ast.expr:
        """A call of a helper whose work depends on data: it gets the evaluation as well."""
        self.is_metered = True
        return self.call(helper, [self.name(EVALUATION, at), *arguments], at)

    def attribute(self, value: ast.expr, name: str, at: ast.expr) -> ast.expr:
        """An attribute of one of our own objects."""
        return ast.Attribute(value, name, ast.Load(), **self._place(at))

    def subscript(self, value: ast.expr, key: str | int, at: ast.expr) -> ast.expr:
        """``value[key]``."""
        return ast.Subscript(value, self.constant(key, at), ast.Load(), **self._place(at))

    def compare(self, left: ast.expr, sign: ast.cmpop, right: ast.expr, at: ast.expr) -> ast.expr:
        """Python's own comparison."""
        return ast.Compare(left, [sign], [right], **self._place(at))

    def function(self, parameters: Sequence[str], body: ast.expr, at: ast.expr) -> ast.expr:
        """A function, for what is evaluated later or never."""
        names = [ast.arg(name, **self._place(at)) for name in parameters]
        return ast.Lambda(ast.arguments([], names, None, [], [], None, []), body, **self._place(at))

    def _place(self, at: ast.expr) -> dict[str, Any]:
        return {
            "lineno": self._line,
            "end_lineno": self._line,
            "col_offset": at.col_offset,
            "end_col_offset": at.end_col_offset,
        }


_REFUSALS: Mapping[type[ast.AST], tuple[str, str | None]] = {
    ast.Lambda: ("a function", "write `[x.id for x in list]`"),
    ast.JoinedStr: ("a text with letters before it", 'write `"a " + str(b)`'),
    ast.NamedExpr: ("naming a value", "use a `set` step"),
    ast.Starred: ("`*`", "write `a + b` to put lists together"),
    ast.Tuple: ("a list without brackets", "write `[a, b]`"),
    ast.Set: ("`{ }` around values", "write `${x}` instead of `${{ x }}`; a list is `[a, b]`"),
    ast.SetComp: ("a set", "write `unique([… for … in …])`"),
    ast.GeneratorExp: ("`for` without brackets", "write `[… for … in …]`"),
    ast.Slice: ("`:`", None),
}
