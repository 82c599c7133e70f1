"""What expressions read, and what they come to, as Python itself has it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from types import CodeType
from typing import Any

Raw = dict[str, Any]


class Missing:
    """What is not there; nor is anything in it."""

    def __getattr__(self, name: str) -> Missing:
        return self


class Object:
    """An object whose fields are read with a dot."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        return wrapped(self._fields[name]) if name in self._fields else Missing()

    def __len__(self) -> int:
        return len(self._fields)


def wrapped(value: Any) -> Any:
    return Object(value) if isinstance(value, dict) else value


def plain(value: Any) -> Any:
    return value._fields if isinstance(value, Object) else value


FUNCTIONS: Mapping[str, Any] = {
    "default": lambda value, other: other if isinstance(value, Missing) else value,
    "to_json": lambda value: json.dumps(plain(value), separators=(",", ":")),
    "uuid": lambda: "uuid",
    "len": len, "sum": sum, "true": True, "false": False, "null": None,
}  # fmt: skip


@cache
def parsed(expression: str) -> CodeType:
    return compile(expression, "<expression>", "eval")


class Names:
    """What expressions read in one flow, or in one of its branches."""

    def __init__(self, inputs: Raw, **roots: Any) -> None:
        self.roots = {"inputs": inputs, "vars": {}, "steps": {}, "flow": {"instanceId": "run"}}
        self.roots |= roots

    def __getitem__(self, root: str) -> Any:
        return self.roots[root]

    def branch(self, **roots: Any) -> Names:
        inner = Names({})
        inner.roots = {**self.roots, "vars": dict(self["vars"]), "steps": dict(self["steps"])}
        inner.roots |= roots
        return inner

    def copy(self) -> tuple[Raw, Raw]:
        """What is defined now."""
        return dict(self["vars"]), dict(self["steps"])

    def restore(self, copy: tuple[Raw, Raw]) -> None:
        """Only that is defined."""
        for root, then in zip(("vars", "steps"), copy, strict=True):
            self[root].clear()
            self[root].update(then)

    def evaluate(self, expression: str) -> Any:
        names = {root: wrapped(value) for root, value in self.roots.items()}
        return plain(eval(parsed(expression), {"__builtins__": {}, **FUNCTIONS, **names}))

    def value(self, template: Any) -> Any:
        """A literal, or text with expressions in it."""
        if isinstance(template, dict):
            return {name: self.value(each) for name, each in template.items()}
        if isinstance(template, list):
            return [self.value(each) for each in template]
        if not isinstance(template, str):
            return template
        if whole := re.fullmatch(r"\$\{([^}]*)\}", template):
            return self.evaluate(whole[1])
        return re.sub(r"\$\{([^}]*)\}", lambda hole: str(self.evaluate(hole[1])), template)
