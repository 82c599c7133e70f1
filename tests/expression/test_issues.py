"""Static mistakes: each is found at its own place, and the hint says what to write."""

from __future__ import annotations

import pytest

from app.expression.limits import MAX_ISSUES, MAX_SOURCE
from tests.expression.scopes import issues, template_issues

ONE_MISTAKE = [
    ("inputs.a && inputs.b", "wrong-operator", "&&", "write `and` instead of `&&`"),
    ("inputs.a || inputs.b", "wrong-operator", "||", "write `or` instead of `||`"),
    ("!inputs.a", "wrong-operator", "!", "write `not` instead of `!`"),
    ("inputs.a = 1", "wrong-operator", "=", "write `==` instead of `=`"),
    ("inputs.a === 1", "wrong-operator", "===", "write `==` instead of `===`"),
    ("inputs.a !== 1", "wrong-operator", "!==", "write `!=` instead of `!==`"),
    ("inputs.a <> 1", "wrong-operator", "<>", "write `!=` instead of `<>`"),
    ("inputs.a => 1", "wrong-operator", "=>", "write `>=` to compare"),
    ("inputs.a =< 1", "wrong-operator", "=<", "write `<=` instead of `=<`"),
    ("inputs.a ? 1 : 2", "wrong-operator", "?", "write `b if a else c` instead of `a ? b : c`"),
    ("inputs.a ?? 1", "wrong-operator", "??", "write `default(a, b)` instead of `??`"),
    ("inputs?.a", "wrong-operator", "?.", "write `default(a.b, null)` instead of `?.`"),
    ("inputs.a is 1", "wrong-operator", "is", "write `==` instead of `is`"),
    ("inputs.a AND true", "wrong-operator", "AND", "write `and` instead of `AND`"),
    ("inputs.a & 1", "wrong-operator", "&", "write `and` instead of `&`"),
    ("inputs.a | upper", "wrong-operator", "|", "`upper(x)` instead of `x | upper`"),
    ("inputs.a ^ 2", "wrong-operator", "^", "write `**` instead of `^`"),
    ("inputs.a << 2", "wrong-operator", "<<", "no arithmetic on bits"),
    ("'a' + 1", "wrong-operator", "'a' + 1", "write `str(1)`"),
    ("1.5 + 'a'", "wrong-operator", "1.5 + 'a'", "write `str(1.5)`"),
    ("inputs.a == True", "not-allowed", "True", "write `true` instead of `True`"),
    ("inputs.a == None", "not-allowed", "None", "write `null` instead of `None`"),
    ("(x := 1)", "not-allowed", ":=", "use a `set` step"),
    ("lambda x: x", "not-allowed", "lambda", "write `[x.id for x in list]`"),
    ("[*inputs.a]", "not-allowed", "*inputs.a", "write `a + b` to put lists together"),
    ("{**inputs.a}", "not-allowed", "inputs.a", "name each field"),
    ("(1, 2)", "not-allowed", "(1, 2)", "write `[a, b]`"),
    ("{1, 2}", "not-allowed", "{1, 2}", "a list is `[a, b]`"),
    ("{x for x in inputs.a}", "not-allowed", "{x for x in inputs.a}", "unique("),
    ("(x for x in inputs.a)", "not-allowed", "(x for x in inputs.a)", "write `[… for … in …]`"),
    ("[x for x, y in inputs.a]", "not-allowed", "x, y", "write `x[0]`"),
    ("[1 for null in inputs.a]", "not-allowed", "null", None),
    ("len(1)(2)", "not-allowed", "len(1)(2)", None),
    ("inputs.a.upper()", "not-allowed", "inputs.a.upper()", "write `upper(inputs.a)`"),
    ("inputs.a.toUpperCase()", "not-allowed", "inputs.a.toUpperCase()", "`upper(inputs.a)`"),
    ("inputs.a.length()", "not-allowed", "inputs.a.length()", "write `len(inputs.a)`"),
    ("inputs.a.includes(1)", "not-allowed", "inputs.a.includes(1)", "write `1 in inputs.a`"),
    ("inputs.a.get('b')", "not-allowed", "inputs.a.get('b')", "`default(inputs.a['b'], null)`"),
    ("inputs.a.join(', ')", "not-allowed", "inputs.a.join(', ')", "`join(inputs.a, ', ')`"),
    ("', '.join(inputs.a)", "not-allowed", "', '.join(inputs.a)", "`join(inputs.a, ', ')`"),
    ("inputs.a.split(',')", "not-allowed", "inputs.a.split(',')", "`split(inputs.a, ',')`"),
    ("{'a': 1, 'a': 2}", "duplicate-key", "'a'", None),
    ("userName == 'x'", "unknown-root", "userName", "write `inputs.userName`"),
    ("input.x", "unknown-root", "input", "write `inputs`"),
    ("varss.x", "unknown-root", "varss", "write `vars`"),
    ("NULL", "unknown-root", "NULL", "write `null`"),
    ("len", "unknown-root", "len", "call it: `len(…)`"),
    ("{a: 1}", "unknown-root", "a", 'write `"a"`'),
    ("[rows2 for rows1 in []]", "unknown-root", "rows2", "write `rows1`"),
    ("inputs.headers.content-type", "unknown-root", "type", 'write `["content-type"]` instead of'),
    ("inputs.a + 订单", "unknown-root", "订单", "write `inputs.订单`"),
    ("uper('a')", "unknown-function", "uper", "write `upper(text)`"),
    ("strip('a')", "unknown-function", "strip", "write `trim(text)`"),
    ("toString(1)", "unknown-function", "toString", "write `str(value)`"),
    ("print(1)", "unknown-function", "print", None),
    ("eval('1')", "unknown-function", "eval", None),
    ("len()", "bad-arguments", "len()", "write `len(value)`"),
    ("default(1)", "bad-arguments", "default(1)", "write `default(expression, value)`"),
    ("${inputs.a}", "wrapped-expression", "${", "write it without `${` and `}`"),
    ("1 + ${inputs.a}", "wrapped-expression", "${", "write it without `${` and `}`"),
    ("{{ inputs.a }}", "braces", "{{", "leave `{{` and `}}` out"),
    ("1 # one", "syntax", "#", "on a line of its own"),
    ("1;", "syntax", ";", "leave it out"),
    ("$a", "syntax", "$", "write a name without `$`"),
    ("inputs.a == “x”", "syntax", "“x”", 'write `"x"`'),
    ("inputs.a == “x", "syntax", "“", 'write `"` instead of `“`'),
    ("len（inputs.a)", "syntax", "（", "write `(` instead of `（`"),
    ("inputs.a\u3000== 1", "syntax", "\u3000", "write an ordinary space"),
    ("1 \x00", "syntax", "\x00", None),
    ("'abc", "syntax", "'", None),
    ("'a' 'b'", "syntax", "'b'", "write `+` or `,` between them"),
    ("f'{a}'", "syntax", "f", 'write `"a " + str(b)`'),
    (r"'\d'", "syntax", r"\d", r"write `\\d`"),
    ("'\ud800'", "syntax", "'\ud800'", None),
    (r"'\ud800'", "syntax", r"'\ud800'", "write the character itself"),
    ("012", "syntax", "012", None),
    ("0x1F", "syntax", "0x1F", None),
    ("1_000", "syntax", "1_000", None),
    ("1.", "syntax", "1.", None),
    ("1j", "syntax", "1j", None),
    ("(1 + 2", "syntax", "(", None),
    ("1 + 2)", "syntax", ")", None),
    ("[1, 2)", "syntax", ")", None),
    ("1 +", "syntax", "+", None),
    ("'é' +", "syntax", "+", None),
    ("'é' b", "syntax", "b", None),
    ("inputs.a inputs.b", "syntax", "inputs", None),
    ("[1 2]", "syntax", "1", "write `,` or an operator"),
    ("1 if true", "syntax", "1", "write `a if condition else b`"),
    ("...", "not-allowed", "...", None),
    ("1e400", "too-large", "1e400", None),
]


@pytest.mark.parametrize(("source", "code", "marked", "hint"), ONE_MISTAKE)
def test_one_mistake_is_one_issue(source: str, code: str, marked: str, hint: str | None) -> None:
    """Its code, the characters it marks, and what the hint tells to write."""
    (found,) = issues(source)
    assert found.code == code
    assert source[found.offset : found.offset + found.length] == marked
    assert (hint is None) == (found.hint is None)
    assert hint is None or hint in str(found.hint)
    assert not found.message.endswith(".")


@pytest.mark.parametrize(("source", "code", "marked", "hint"), ONE_MISTAKE)
def test_in_a_text_the_mistake_is_at_the_same_place(
    source: str, code: str, marked: str, hint: str | None
) -> None:
    """Offsets count from the beginning of the whole text, whatever is before."""
    (bare,) = issues(source)
    prefix = "é $${ ${1} ${ "
    found = next(p for p in template_issues(f"{prefix}{source} }}") if p.code != "unclosed")
    assert (found.code, found.message, found.hint) == (bare.code, bare.message, bare.hint)
    assert found.offset == len(prefix) + bare.offset


def test_all_mistakes_of_an_expression_are_found_in_reading_order() -> None:
    """Words first, if there are any; else everything the grammar and the names tell."""
    signs = issues("!a && b === None")
    assert [p.offset for p in signs] == [0, 3, 8, 12]
    names = issues("foo(bar) + {baz: [x.y() for z in len()]}")
    assert [p.code for p in names] == [
        "unknown-function",
        "unknown-root",
        "unknown-root",
        "unknown-root",
        "not-allowed",
        "bad-arguments",
    ]


@pytest.mark.parametrize(
    ("text", "code", "offset", "length"),
    [
        ("a ${", "unclosed", 2, 2),
        ("a ${inputs.x", "unclosed", 2, 2),
        ("${{'a': 1}", "unclosed", 0, 2),
        ("a ${}", "empty", 4, 1),
        ("a ${ }", "empty", 5, 1),
        ("${{ inputs.x }}", "not-allowed", 2, 12),
        ("${(inputs.x}", "syntax", 2, 1),
        ("${inputs.x)}", "syntax", 10, 1),
    ],
)
def test_mistakes_of_holes(text: str, code: str, offset: int, length: int) -> None:
    """Holes that are empty, not closed, or closed too late."""
    (found,) = template_issues(text)
    assert (found.code, found.offset, found.length) == (code, offset, length)


@pytest.mark.parametrize("source", ["1 +", "1 if 2 else", "not", "inputs.a ==", "[1, 2][", "-"])
def test_an_expression_that_ends_too_early(source: str) -> None:
    """The last character is marked, and none is said to be wrong."""
    (found,) = issues(source)
    assert found.offset == len(source) - 1
    assert "does not fit" not in found.message


def test_an_empty_expression() -> None:
    """Nothing, or nothing but space, is not an expression."""
    assert [p.code for p in issues("")] == ["empty"]
    assert [p.code for p in issues(" \n ")] == ["empty"]


def test_too_long_and_too_deep_expressions() -> None:
    """Bounds hold for hostile sources too: nothing but issues come of them."""
    assert issues("1 + " * 1000 + "1")[0].code == "too-long"
    for source in ("-" * 3000 + "1", "not " * 900 + "1", "1" + " + 1" * 900, "a" + ".b" * 1900):
        assert {p.code for p in issues(source[:MAX_SOURCE])} <= {"too-deep", "unknown-root"}
    for source in ("(" * 300 + "1" + ")" * 300, "[" * 150 + "]" * 150, "inputs" + "[0]" * 1300):
        assert [p.code for p in issues(source)] == ["too-deep"]


def test_the_number_of_issues_is_bounded() -> None:
    """A page of nonsense gives a handful of issues, not a page of them."""
    assert len(issues("&& " * 1000)) == MAX_ISSUES
    assert len(issues(" + ".join(["x"] * 40))) == MAX_ISSUES
