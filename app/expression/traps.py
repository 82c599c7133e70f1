"""What people write out of habit from other languages, and what to write here instead."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownMistake:
    """A word or sign that means something elsewhere and nothing here."""

    code: str
    message: str
    hint: str | None = None


def _instead(written: str, right: str) -> KnownMistake:
    message = f"`{written}` is not an operator here"
    return KnownMistake("wrong-operator", message, f"write `{right}` instead of `{written}`")


def _word(written: str, right: str) -> KnownMistake:
    message = f"`{written}` has no meaning here"
    return KnownMistake("not-allowed", message, f"write `{right}` instead of `{written}`")


_FUNCTION = "write `[x.id for x in list]` to change a list"
_ARROW = "write `>=` to compare, `[x.id for x in list]` to change a list"
_BITS = "there is no arithmetic on bits"

SIGNS: Mapping[str, KnownMistake] = {
    "&&": _instead("&&", "and"),
    "||": _instead("||", "or"),
    "!": _instead("!", "not"),
    "&": _instead("&", "and"),
    "|": KnownMistake(
        "wrong-operator",
        "`|` is not an operator here",
        "write `or` for a choice, `upper(x)` instead of `x | upper`",
    ),
    "=": _instead("=", "=="),
    "===": _instead("===", "=="),
    "!==": _instead("!==", "!="),
    "<>": _instead("<>", "!="),
    "=<": _instead("=<", "<="),
    "=>": KnownMistake("wrong-operator", "`=>` is not an operator here", _ARROW),
    ":=": KnownMistake(
        "not-allowed", "a value cannot be named inside an expression", "use a `set` step"
    ),
    "?": KnownMistake(
        "wrong-operator",
        "`? :` is not an operator here",
        "write `b if a else c` instead of `a ? b : c`",
    ),
    "??": _instead("??", "default(a, b)"),
    "?.": _instead("?.", "default(a.b, null)"),
    "^": _instead("^", "**"),
    "~": KnownMistake("wrong-operator", "`~` is not an operator here", _BITS),
    "<<": KnownMistake("wrong-operator", "`<<` is not an operator here", _BITS),
    ">>": KnownMistake("wrong-operator", "`>>` is not an operator here", _BITS),
    "{{": KnownMistake("braces", "`{{ }}` is not used here", "leave `{{` and `}}` out"),
    "${": KnownMistake(
        "wrapped-expression", "this is an expression already", "write it without `${` and `}`"
    ),
    "$": KnownMistake("syntax", "`$` has no meaning here", "write a name without `$`"),
    "#": KnownMistake(
        "syntax", "an expression holds no comment", "put the comment on a line of its own"
    ),
    ";": KnownMistake("syntax", "an expression ends without `;`", "leave it out"),
}

WORDS: Mapping[str, KnownMistake] = {
    "True": _word("True", "true"),
    "False": _word("False", "false"),
    "None": _word("None", "null"),
    "AND": _instead("AND", "and"),
    "OR": _instead("OR", "or"),
    "NOT": _instead("NOT", "not"),
    "IN": _instead("IN", "in"),
    "is": _instead("is", "=="),
    "lambda": KnownMistake("not-allowed", "an expression makes no functions", _FUNCTION),
    "await": KnownMistake("not-allowed", "`await` has no meaning here"),
    "yield": KnownMistake("not-allowed", "`yield` has no meaning here"),
}
"""Only where the word is not a field name."""

NAMES: Mapping[str, str] = {
    "True": "true",
    "TRUE": "true",
    "FALSE": "false",
    "NULL": "null",
    "none": "null",
    "nil": "null",
    "undefined": "null",
    "input": "inputs",
    "params": "inputs",
    "step": "steps",
    "var": "vars",
    "variables": "vars",
    "environment": "env",
    "secret": "secrets",
    "req": "request",
    "loop": "item",
}
"""Names of other languages, and ours."""

FUNCTION_NAMES: Mapping[str, str] = {
    "length": "len",
    "size": "len",
    "count": "len",
    "strip": "trim",
    "tolowercase": "lower",
    "lowercase": "lower",
    "lowerascii": "lower",
    "touppercase": "upper",
    "uppercase": "upper",
    "tostring": "str",
    "string": "str",
    "text": "str",
    "number": "float",
    "tofixed": "round",
    "parseint": "int",
    "parsefloat": "float",
    "sort": "sorted",
    "distinct": "unique",
    "uniq": "unique",
    "tojson": "to_json",
    "stringify": "to_json",
    "fromjson": "parse_json",
    "parse": "parse_json",
    "strftime": "format_date",
    "today": "date",
    "coalesce": "default",
    "ifnull": "default",
    "encodeuricomponent": "url_encode",
    "quote": "url_encode",
    "btoa": "base64",
    "replaceall": "replace",
    "hmac": "hmac_sha256",
}
"""Names of functions and methods in other languages, folded to small letters, and ours."""

METHODS_AS_OPERATORS: Mapping[str, str] = {
    "get": "default({target}[{arguments}], null)",
    "includes": "{arguments} in {target}",
    "contains": "{arguments} in {target}",
    "has": "{arguments} in {target}",
    "concat": "{target} + {arguments}",
    "append": "{target} + [{arguments}]",
    "push": "{target} + [{arguments}]",
    "map": "[x.id for x in {target}]",
    "filter": "[x for x in {target} if x.id > 0]",
    "slice": "{target}[0:1]",
    "substring": "{target}[0:1]",
    "equals": "{target} == {arguments}",
}
"""Methods that are written with an operator here."""

_QUOTES = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "。": "."}


def plain_sign(sign: str) -> str:
    """The ASCII sign that a full-width or typographic one stands for, else the sign itself."""
    return _QUOTES.get(sign) or unicodedata.normalize("NFKC", sign)


def sign_trap(sign: str) -> KnownMistake:
    """What to say about a sign that is no part of the language."""
    if sign in SIGNS:
        return SIGNS[sign]
    plain = plain_sign(sign)
    if sign.isspace():
        return KnownMistake("syntax", "this is not an ordinary space", "write an ordinary space")
    if plain != sign and plain.isascii() and plain.isprintable():
        message = f"`{sign}` is not the sign `{plain}`"
        return KnownMistake("syntax", message, f"write `{plain}` instead of `{sign}`")
    shown = sign if sign.isprintable() else ascii(sign)[1:-1]
    return KnownMistake("syntax", f"`{shown}` has no meaning here")
