"""Every verb of the language: a new one is one file here and one line in ``VERBS``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from marshmallow import ValidationError, missing
from marshmallow.fields import Field

from app.expression import Compiled, Problem
from app.spec.diagnostics import did_you_mean
from app.spec.fields import describe, mistake
from app.spec.model import Flow
from app.spec.surroundings import Surroundings
from app.step import Arm, Path, Step, StepSchema, Use, is_name
from app.steps.call import Call
from app.steps.check import Check
from app.steps.fail import Fail
from app.steps.for_each import ForEach
from app.steps.http import Http
from app.steps.if_ import If
from app.steps.log import Log
from app.steps.parallel import BranchesField, Parallel
from app.steps.python import Python
from app.steps.repeat import Repeat
from app.steps.return_ import Return
from app.steps.set_ import Set
from app.steps.sql import Sql
from app.steps.switch import Switch
from app.steps.transaction import Transaction
from app.steps.try_ import Try
from app.steps.wait import Wait

VERBS: Mapping[str, type[Step]] = {
    "http": Http,
    "set": Set,
    "if": If,
    "switch": Switch,
    "for_each": ForEach,
    "repeat": Repeat,
    "parallel": Parallel,
    "call": Call,
    "try": Try,
    "wait": Wait,
    "return": Return,
    "fail": Fail,
    "log": Log,
    "sql": Sql,
    "transaction": Transaction,
    "check": Check,
    "python": Python,
}

_ELSEWHERE: Mapping[str, str] = {
    "request": "http", "fetch": "http", "url": "http", "assign": "set", "vars": "set",
    "print": "log", "echo": "log", "choose": "switch", "case": "switch", "condition": "if",
    "throw": "fail", "raise": "fail", "error": "fail", "stop": "return", "end": "return",
    "output": "return", "uses": "http", "foreach": "for_each", "loop": "for_each",
    "each": "for_each", "map": "for_each", "while": "repeat", "until": "repeat", "poll": "repeat",
    "sleep": "wait", "delay": "wait", "pause": "wait", "branches": "parallel", "fork": "parallel",
    "subflow": "call", "flow": "call", "run": "call", "sub_flow": "call", "workflow": "call",
    "subworkflow": "call", "include": "call", "import": "call", "execute": "call",
    "with_items": "for_each", "withitems": "for_each", "items": "for_each", "matrix": "for_each",
    "do_while": "repeat", "dowhile": "repeat", "retry_until": "repeat", "repeat_until": "repeat",
    "sleep_for": "wait", "wait_for": "wait", "concurrent": "parallel", "concurrently": "parallel",
    "race": "parallel", "all": "parallel", "any": "parallel",
    "query": "sql", "select": "sql", "database": "sql", "begin": "transaction",
    "atomic": "transaction",
    "validate": "check", "assert": "check", "code": "python", "script": "python",
    "eval": "python", "exec": "python", "block": "try", "group": "try", "attempt": "try",
}  # fmt: skip
"""What other tools call our verbs."""

_NO_VERBS: Mapping[str, str] = {
    "catch": "write `on_error` at the step that may fail, or at a `try` with several steps",
    "rescue": "write `on_error` at the step that may fail, or at a `try` with several steps",
    "finally": "write it behind the step, which has `on_error: continue`",
    "break": "write the condition at `repeat`: `until`",
    "continue": "write `when` at the steps that are to be passed over",
}
"""What is a step in other tools, and something else here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Step):
    """A step that could not be read whole; it stands for all that it may have defined.

    It lets the checks go on around it without blaming others for its mistakes, and inside it with
    ``rest``: the step with stand-ins for the parts that are wrong, if that is possible.
    """

    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    rest: Step | None = None

    verb: ClassVar[str] = "broken"

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return self.rest.templates() if self.rest else ()

    def arms(self) -> Sequence[Arm]:
        return self.rest.arms() if self.rest else ()

    def defines(self) -> Iterable[str]:
        return self.names

    @property
    def calls(self) -> Iterable[str]:
        return self.rest.calls if self.rest else ()

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        return self.rest.check(flow, around) if self.rest else ()

    def uses(self) -> Iterable[Use]:
        return self.rest.uses() if self.rest else ()


def load_step(raw: Any) -> tuple[Step, Any]:
    """One step and no mistakes; or a :class:`Broken` in its place and marshmallow's messages."""
    verb = None
    try:
        verb = _verb_of(raw)
        return VERBS[verb](**_schema(verb).load(raw)), None
    except ValidationError as error:
        ids, names = _named_in(raw)
        rest = _rest(verb, raw, error) if verb else {}
        whole = VERBS[verb](**rest) if verb and _required(verb) <= rest.keys() else None
        shared = {key: rest[key] for key in ("id", "when", "on_error") if key in rest}
        broken = Broken(ids=frozenset(ids), names=frozenset(names), rest=whole, **shared)
        return broken, error.messages


def _rest(verb: str, raw: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The parts of a step that could be read, and stand-ins for the others where there are any."""
    fields, valid = _schema(verb).fields, error.valid_data
    wrong = {*error.messages, *_schema(verb).misspelt(raw)}
    usable = {}
    for name, value in valid.items() if isinstance(valid, dict) else ():
        is_wrong = (fields[name].data_key or name) in wrong
        # Blocks, branches and cases hold stand-ins for their own mistakes.
        if isinstance(value, list):
            usable[name] = tuple(value)
        elif not is_wrong or isinstance(fields[name], BranchesField):
            usable[name] = value
    stand_ins = {name: _stand_in(field) for name, field in fields.items()}
    return {name: part for name, part in stand_ins.items() if part is not None} | usable


def _stand_in(field: Field[Any]) -> Any:
    """What stands for a part that is wrong; ``None`` where there is nothing to stand for it."""
    default = None if field.load_default is missing else field.load_default
    if field.required or default is not None:
        default = getattr(field, "stand_in", default)
    return default


@cache
def _required(verb: str) -> frozenset[str]:
    return frozenset(name for name, field in _schema(verb).fields.items() if field.required)


@cache
def _schema(verb: str) -> StepSchema:
    return VERBS[verb].schema()


def _verb_of(raw: Any) -> str:
    if not isinstance(raw, dict):
        hint = "write a verb and its value, like `set: {name: value}`"
        raise mistake("wrong-type", f"expected a step, got {describe(raw)}", hint)
    found = _without_options([key for key in raw if key in VERBS])
    if len(found) == 1:
        return found[0]
    if found:
        words = " and ".join(f"`{verb}`" for verb in found)
        problem = mistake(
            "two-verbs", f"a step has one verb, not {words}", "split it into two steps"
        )
        raise ValidationError({found[1]: problem.messages})
    raise _no_verb(raw)


def _without_options(found: list[str]) -> list[str]:
    """Verbs that are not meant as a key of another one: ``wait`` beside ``parallel``."""
    return [
        verb
        for verb in found
        if not any(verb in _schema(other).known for other in found if other != verb)
    ]


def _no_verb(raw: dict[str, Any]) -> ValidationError:
    one_of = f"a verb is one of {', '.join(VERBS)}"
    unknown = [key for key in raw if key not in StepSchema().fields]
    if not unknown:
        return mistake("no-verb", "this step has no verb", one_of)
    meant = {key: _ELSEWHERE.get(key.lower()) or did_you_mean(key, VERBS) for key in unknown}
    telling = (key for key in unknown if key.lower() in _NO_VERBS or meant[key])
    key = next(telling, unknown[0])
    message = f"unknown verb `{key}`"
    hint = f"write `{meant[key]}` instead" if meant[key] else one_of
    hint = _NO_VERBS.get(key.lower(), hint)
    return ValidationError({key: mistake("unknown-verb", message, hint).messages})


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
