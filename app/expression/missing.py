"""Sentences about what is not there. They name fields, never values."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from app.expression.runtime.values import kind
from app.expression.suggestions import closest

_ABSENT = {
    "inputs": "there is no input `{}`",
    "steps": "no step `{}` has a result here",
    "vars": "no variable `{}` is set here",
    "env": "there is no environment variable `{}` for flows",
    "secrets": "there is no secret `{}`",
}
_PRIVATE = frozenset({"env", "secrets"})
_COUNTS = frozenset({"length", "size", "count", "len"})
_MOST_NAMES = 8
_LONGEST_NAME = 40


def may_be_private(written: str) -> bool:
    """Whether source reads from a root whose names are nobody's business."""
    return any(root in written for root in _PRIVATE)


def missing_field(target: Any, key: Any, *, is_private: bool = False) -> str:
    """Why ``target[key]`` cannot be read. A ``key`` that is ``None`` stays unnamed."""
    named = f" `{shown(key)}`" if isinstance(key, str) else ""
    if isinstance(target, Mapping):
        sentence = f"the object has no field{named}" if named else "the object has no such field"
        return sentence if is_private else _not_in_object(target, key, sentence)
    if isinstance(target, (list, str)) and not isinstance(key, str):
        what = "list" if isinstance(target, list) else "text"
        return f"the index is out of range: the {what} has a length of {len(target)}"
    if target is None:
        return f"there is no field{named}, because what it is read from is null"
    advice = "; write `len(…)`" if key in _COUNTS and isinstance(target, (list, str)) else ""
    return f"{kind(target)} has no field{named}{advice}"


def missing_name(root: str, target: Mapping[str, Any], key: str) -> str:
    """Why the root has nothing of this name; private roots do not say what else they hold."""
    sentence = _ABSENT.get(root, "it has no field `{}`").format(shown(key))
    return sentence if root in _PRIVATE else _not_in_object(target, key, sentence)


def _not_in_object(target: Mapping[str, Any], key: Any, sentence: str) -> str:
    if not target:
        return f"{sentence} (there is none)"
    names = ", ".join(map(shown, islice(target, _MOST_NAMES)))
    more = ", …" if len(target) > _MOST_NAMES else ""
    near = closest(key, target) if isinstance(key, str) else None
    question = f"; did you mean `{shown(near)}`?" if near else ""
    return f"{sentence} (it has {names}{more}){question}"


def shown(name: Any) -> str:
    """A name as a message shows it: short, and with nothing in it that could mislead."""
    text = str(name)
    text = text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"
    return text if text.isprintable() else ascii(text)[1:-1]
