"""What people write out of habit from other languages, and what to write here instead."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from app.words import did_you_mean

_MOST_CANDIDATES = 50
_LIKENESS = 0.76
"""Just above the likeness of ``print`` and ``int``."""


class KnownMistake(NamedTuple):
    """A word or sign that means something elsewhere and nothing here: what to say about it."""

    message: str
    hint: str | None = None
    code: str = "syntax"


_QUOTES = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "。": "."}


def _by_word(table: Mapping[str, str]) -> Mapping[str, str]:
    """From ``ours → words of others`` to ``word → ours``."""
    return {word: ours for ours, words in table.items() for word in words.split()}


def _instead(word: str, ours: str) -> str:
    return f"write `{ours}` instead of `{word}`"


_OPERATORS = _by_word(
    {
        "and": "&& & AND",
        "or": "|| OR",
        "not": "! NOT",
        "in": "IN",
        "==": "= === is",
        "!=": "!== <>",
        "<=": "=<",
        "**": "^",
        "default(a, b)": "??",
        "default(a.b, null)": "?.",
    }
)
_OPERATOR_HINTS = {
    **{sign: _instead(sign, ours) for sign, ours in _OPERATORS.items()},
    "|": "write `or` for a choice, `upper(x)` instead of `x | upper`",
    "=>": "write `>=` to compare, `[x.id for x in list]` to change a list",
    **dict.fromkeys(("~", "<<", ">>"), "there is no arithmetic on bits"),
}
_FUNCTION = "write `[x.id for x in list]` to change a list"

MISTAKES: Mapping[str, KnownMistake] = {
    **{
        sign: KnownMistake(f"`{sign}` is not an operator here", hint, "wrong-operator")
        for sign, hint in _OPERATOR_HINTS.items()
    },
    "?": KnownMistake(
        "`? :` is not an operator here",
        "write `b if a else c` instead of `a ? b : c`",
        "wrong-operator",
    ),
    **{
        word: KnownMistake(f"`{word}` has no meaning here", _instead(word, ours), "not-allowed")
        for word, ours in {"True": "true", "False": "false", "None": "null"}.items()
    },
    ":=": KnownMistake("an expression cannot name a value", "use a `set` step", "not-allowed"),
    "lambda": KnownMistake("an expression makes no functions", _FUNCTION, "not-allowed"),
    "{{": KnownMistake("`{{ }}` is not used here", "leave `{{` and `}}` out", "braces"),
    "${": KnownMistake(
        "this is an expression already", "write it without `${` and `}`", "wrapped-expression"
    ),
    "$": KnownMistake("`$` has no meaning here", "write a name without `$`"),
    "#": KnownMistake("an expression holds no comment", "put the comment on a line of its own"),
    ";": KnownMistake("an expression ends without `;`", "leave it out"),
}
"""By sign or word; words only where they are not names of fields."""

NAMES = _by_word(
    {
        "null": "none nil undefined",
        "inputs": "params",
        "vars": "variables",
        "env": "environment",
        "request": "req",
        "item": "loop",
    }
)
"""Names of other languages, and ours. Names that are merely alike are not listed."""

FUNCTION_NAMES = _by_word(
    {
        "len": "length size count",
        "trim": "strip",
        "lower": "tolowercase lowercase",
        "upper": "touppercase uppercase",
        "str": "tostring string text",
        "float": "number parsefloat",
        "int": "parseint",
        "round": "tofixed",
        "unique": "distinct",
        "to_json": "stringify",
        "parse_json": "parse fromjson",
        "format_date": "strftime",
        "date": "today",
        "default": "coalesce ifnull",
        "url_encode": "encodeuricomponent quote",
        "base64": "btoa",
        "hmac_sha256": "hmac",
    }
)
"""Functions and methods of other languages in small letters without ``_``, and ours."""

METHODS_AS_OPERATORS = {
    "get": "default({target}[{arguments}], null)",
    **dict.fromkeys(("includes", "contains", "has"), "{arguments} in {target}"),
    "concat": "{target} + {arguments}",
    **dict.fromkeys(("append", "push"), "{target} + [{arguments}]"),
    "map": "[x.id for x in {target}]",
    "filter": "[x for x in {target} if x.id > 0]",
    **dict.fromkeys(("slice", "substring"), "{target}[0:1]"),
    "equals": "{target} == {arguments}",
}
"""Methods of other languages, and how they are written here."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; cheap whatever the words are."""
    return did_you_mean(word, islice(known, _MOST_CANDIDATES), _LIKENESS)


def plain_sign(sign: str) -> str:
    """The ASCII sign that a full-width or typographic one looks like, else the sign itself."""
    return _QUOTES.get(sign) or unicodedata.normalize("NFKC", sign)


def unknown_sign(sign: str) -> KnownMistake:
    """What to say about a sign that is not part of the language."""
    if sign in MISTAKES:
        return MISTAKES[sign]
    plain = plain_sign(sign)
    if sign.isspace():
        return KnownMistake("this is not an ordinary space", "write an ordinary space")
    if plain != sign and plain.isascii() and plain.isprintable():
        return KnownMistake(f"`{sign}` is not the sign `{plain}`", _instead(sign, plain))
    shown = sign if sign.isprintable() else ascii(sign)[1:-1]
    return KnownMistake(f"`{shown}` has no meaning here")
