"""docs/expressions.md: every example in it is true, and every function is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.expression import Compiled, compile_expression, compile_template
from app.expression.functions import FUNCTIONS
from app.expression.scope import ROOTS
from tests.expression.scopes import FixedScope, failure, value

PAGE = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(match[1], match[2]) for match in BLOCK.finditer(PAGE)]
ROW = re.compile(r"^\| `(.+)` \| (.+) \| `(.+)` \| `(.+)` \|$", re.MULTILINE)
ROWS = {(match[1], match[2]): (match[3], match[4]) for match in ROW.finditer(PAGE)}
SCOPE = FixedScope(**json.loads(next(text for kind, text in BLOCKS if kind == "json")))
EXAMPLES = [(kind, line) for kind, text in BLOCKS if kind != "json" for line in text.splitlines()]
COMPILERS: dict[str, Callable[[str], Compiled]] = {
    "expressions": compile_expression,
    "templates": compile_template,
}


@pytest.mark.parametrize(("kind", "line"), EXAMPLES)
def test_every_example_is_true(kind: str, line: str) -> None:
    """``source  →  result as JSON``, or ``source  ✗  message``."""
    source, sign, expected = re.split(r"  ([→✗])  ", line)
    compiled = COMPILERS[kind](source)
    if sign == "✗":
        assert failure(compiled, SCOPE) == expected
    else:
        assert _json(compiled.evaluate(SCOPE)) == _json(json.loads(expected))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_its_row(name: str) -> None:
    """Signature and sentence are those of the code; the example gives its result, type included."""
    function = FUNCTIONS[name]
    (example, expected) = ROWS[function.signature, function.doc]
    result = value(example)
    assert json.dumps(result, ensure_ascii=False) == expected
    assert f"{name}(" in example


@pytest.mark.parametrize("root", ROOTS)
def test_every_name_is_explained(root: str) -> None:
    """The table of names is complete."""
    names = PAGE.partition("## Names")[2].partition("## Values")[0]
    assert f"`{root}`" in names
