"""Every verb of the language: a new one is one file here and one line in ``VERBS``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from marshmallow import ValidationError

from app.spec.diagnostics import did_you_mean
from app.spec.fields import describe, mistake
from app.step import Step, StepSchema, is_name
from app.steps.fail import Fail
from app.steps.http import Http
from app.steps.if_ import If
from app.steps.log import Log
from app.steps.return_ import Return
from app.steps.set_ import Set
from app.steps.switch import Switch

VERBS: Mapping[str, type[Step]] = {
    "http": Http,
    "set": Set,
    "if": If,
    "switch": Switch,
    "return": Return,
    "fail": Fail,
    "log": Log,
}

LATER = ("for_each", "parallel", "call", "wait", "sql", "python")
"""Verbs that are planned; named so that the message can say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Step):
    """A step that could not be read; it stands for all that it may have defined.

    It lets the checks go on with the steps around it without blaming them for its mistakes.
    """

    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    verb: ClassVar[str] = "broken"

    def defines(self) -> Iterator[str]:
        return iter(self.names)


def load_step(raw: Any) -> tuple[Step, Any]:
    """One step and no mistakes; or a :class:`Broken` in its place and marshmallow's messages."""
    try:
        verb = _verb_of(raw)
        return VERBS[verb](**_schema(verb).load(raw)), None
    except ValidationError as error:
        ids, names = _named_in(raw)
        return Broken(ids=frozenset(ids), names=frozenset(names)), error.messages


@cache
def _schema(verb: str) -> StepSchema:
    return VERBS[verb].schema()


def _verb_of(raw: Any) -> str:
    if not isinstance(raw, dict):
        hint = "write a verb and its value, like `set: {name: value}`"
        raise mistake("wrong-type", f"expected a step, got {describe(raw)}", hint)
    found: list[str] = [key for key in raw if key in VERBS]
    if len(found) == 1:
        return found[0]
    if found:
        words = " and ".join(f"`{verb}`" for verb in found)
        problem = mistake("two-verbs", f"a step has one verb, not {words}", "split it in two steps")
        raise ValidationError({found[1]: problem.messages})
    raise _no_verb(raw)


def _no_verb(raw: dict[str, Any]) -> ValidationError:
    shared = set(StepSchema().fields)
    for key in raw:
        near = did_you_mean(key, VERBS)
        if key in LATER:
            problem = mistake("unknown-verb", f"the verb `{key}` is not in this version")
        elif near and key not in shared:
            hint = f"write `{near}` instead"
            problem = mistake("unknown-verb", f"unknown verb `{key}`", hint)
        else:
            continue
        return ValidationError({key: problem.messages})
    return mistake("no-verb", "this step has no verb", f"one of {', '.join(VERBS)}")


def _named_in(raw: Any) -> tuple[set[str], set[str]]:
    """All step ids and variable names that stand anywhere in a raw step."""
    ids: set[str] = set()
    names: set[str] = set()
    pending = [raw]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            pending.extend(node.values())
            if isinstance(node.get("id"), str) and is_name(node["id"] or "_"):
                ids.add(node["id"])
            if isinstance(node.get("set"), dict):
                names.update(node["set"])
    return ids, names
