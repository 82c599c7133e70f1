"""A scope of fixed values, and short ways to what an expression gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from app.expression import (
    Compiled,
    ExpressionError,
    ExpressionSyntaxError,
    Issue,
    compile_expression,
    compile_template,
)

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FixedScope:
    """A scope whose time is fixed."""

    inputs: Object = field(default_factory=dict)
    steps: Object = field(default_factory=dict)
    vars: Object = field(default_factory=dict)
    env: Object = field(default_factory=dict)
    secrets: Object = field(default_factory=dict)
    request: Object = field(default_factory=dict)
    flow: Object = field(default_factory=dict)
    item: Any = None
    index: Any = None
    error: Any = None

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 20, 7, 40, 999_999, tzinfo=UTC)

    def uuid(self) -> str:
        return "1b4e28ba-2fa1-41d2-883f-0016d3cca427"


def value(source: str, **inputs: Any) -> Any:
    """What an expression gives."""
    return compile_expression(source).evaluate(FixedScope(inputs=inputs))


def template(source: Any, **inputs: Any) -> Any:
    """What a template gives."""
    return compile_template(source).evaluate(FixedScope(inputs=inputs))


def failure(compiled: Compiled, scope: FixedScope) -> str:
    """The message that an evaluation fails with."""
    with pytest.raises(ExpressionError) as caught:
        compiled.evaluate(scope)
    return caught.value.message


def error(source: str, **inputs: Any) -> str:
    """The message that an expression fails with."""
    return failure(compile_expression(source), FixedScope(inputs=inputs))


def issues(source: str) -> tuple[Issue, ...]:
    """Everything that is wrong with an expression."""
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(source)
    return caught.value.issues


def template_issues(source: Any) -> tuple[Issue, ...]:
    """Everything that is wrong with a template."""
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_template(source)
    return caught.value.issues
