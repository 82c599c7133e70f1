"""Blocks of steps where a file has them, and how each of their steps is recognised by its verb."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, missing

from app.expression import Compiled, Issue
from app.language.environment import Environment
from app.language.fields import (
    STEP_REF,
    Boolean,
    Collection,
    Condition,
    Duration,
    Identifier,
    JsonSchema,
    StrictSchema,
    String,
    about,
    is_name,
    validation_error,
    wrong_type,
)
from app.language.flow import Flow
from app.language.retry import RetryField
from app.language.step import Block, Path, Step, Use
from app.words import did_you_mean


class BlockField(Collection):
    """A list of steps, each recognised by its verb."""

    WANTED = "a list of steps"
    EXAMPLE = "begin each step with `- `"
    stand_in: tuple[Step, ...] = ()

    def json_schema(self) -> JsonSchema:
        return {"type": "array", "items": STEP_REF}

    def read(self, raw: Any) -> Step:
        return load_step(raw)


class OnErrorField(BlockField):
    """A block of steps, or the word ``continue``: go on as if nothing had happened."""

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"const": "continue"}, super().json_schema()]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if value == "continue":
            return ()
        if isinstance(value, str):
            raise wrong_type(
                "a list of steps or the word continue",
                value,
                "write `on_error: continue`, or a list of steps below it",
            )
        return super()._deserialize(value, *args, **options)


class StepSchema(StrictSchema):
    """The shared keys; each verb's schema adds its own."""

    id = Identifier(metadata=about("What expressions call its result: `steps.<id>`."))
    name = String(metadata=about("What people call it."))
    when = Condition(metadata=about("Runs the step only if this condition holds."))
    timeout = Duration(metadata=about("How long it may take: `200ms`, `5s`, `10m`."))
    retry = RetryField(
        metadata=about("How often it is repeated when it fails: a number, or an object.")
    )
    retryable = Boolean(
        metadata=about("Whether it may run twice, if its process died: it then sends one key.")
    )
    on_error = OnErrorField(metadata=about("Steps to run when it failed, or `continue`."))


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
    "finally": "write it after the step, which has `on_error: continue`",
    "break": "write the condition at `repeat`: `until`",
    "continue": "write `when` at the steps that are to be passed over",
}
"""What is a step in other tools, and something else here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenStep(Step):
    """A step of which a part could not be read. It counts as all that it may have defined.

    The checks can go on after it without blaming other steps, and inside it with ``rest``: the step
    with stand-ins for the parts that are wrong, if that is possible.
    """

    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    rest: Step | None = None

    verb: ClassVar[str] = "broken"

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        return self.rest.templates() if self.rest else ()

    def blocks(self) -> Sequence[Block]:
        return self.rest.blocks() if self.rest else ()

    def defines(self) -> Iterable[str]:
        return self.names

    @property
    def calls(self) -> Iterable[str]:
        return self.rest.calls if self.rest else ()

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        return self.rest.check(flow, environment) if self.rest else ()

    def uses(self) -> Iterable[Use]:
        return self.rest.uses() if self.rest else ()


def load_step(raw: Any) -> Step:
    """One step.

    Raises:
        ValidationError: its ``valid_data`` is a :class:`BrokenStep`.
    """
    verb = None
    try:
        verb = _verb_of(raw)
        return Step.verbs[verb](**_schema(verb).load(raw))
    except ValidationError as error:
        ids, names = _named_in(raw)
        rest = _rest(verb, raw, error) if verb else {}
        whole = Step.verbs[verb](**rest) if verb and _required(verb) <= rest.keys() else None
        shared = {key: rest[key] for key in ("id", "when", "on_error") if key in rest}
        broken: Any = BrokenStep(ids=frozenset(ids), names=frozenset(names), rest=whole, **shared)
        raise ValidationError(error.messages, valid_data=broken) from None


def _rest(verb: str, raw: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """The parts of a step that could be read, and stand-ins for the others where there are any."""
    fields, valid = _schema(verb).fields, error.valid_data
    wrong = {*error.messages, *_schema(verb).misspelt(raw)}
    usable = {}
    for name, value in valid.items() if isinstance(valid, dict) else ():
        is_wrong = (fields[name].data_key or name) in wrong
        if isinstance(value, list):
            usable[name] = tuple(value)
        elif not is_wrong or getattr(fields[name], "holds_stand_ins", False):
            usable[name] = value
    stand_ins = {name: _stand_in(field) for name, field in fields.items()}
    return {name: part for name, part in stand_ins.items() if part is not None} | usable


def _stand_in(field: fields.Field[Any]) -> Any:
    """The stand-in for a part that is wrong; ``None`` if there is none."""
    default = None if field.load_default is missing else field.load_default
    if field.required or default is not None:
        default = getattr(field, "stand_in", default)
    return default


@cache
def _required(verb: str) -> frozenset[str]:
    return frozenset(name for name, field in _schema(verb).fields.items() if field.required)


@cache
def _schema(verb: str) -> StepSchema:
    return Step.verbs[verb].schema()


def _verb_of(raw: Any) -> str:
    if not isinstance(raw, dict):
        hint = "write a verb and its value, like `set: {name: value}`"
        raise wrong_type("a step", raw, hint)
    found = _without_options([key for key in raw if key in Step.verbs])
    if len(found) == 1:
        return found[0]
    if found:
        words = " and ".join(f"`{verb}`" for verb in found)
        error = validation_error(
            "two-verbs", f"a step has one verb, not {words}", "split it into two steps"
        )
        raise ValidationError({found[1]: error.messages})
    raise _no_verb(raw)


def _without_options(found: list[str]) -> list[str]:
    """Verbs that are not meant as a key of another one: ``wait`` next to ``parallel``."""
    return [
        verb
        for verb in found
        if not any(verb in _schema(other).known for other in found if other != verb)
    ]


def _no_verb(raw: dict[str, Any]) -> ValidationError:
    one_of = f"a verb is one of {', '.join(Step.verbs)}"
    unknown = [key for key in raw if key not in StepSchema().fields]
    if not unknown:
        return validation_error("no-verb", "this step has no verb", one_of)
    meant = {key: _ELSEWHERE.get(key.lower()) or did_you_mean(key, Step.verbs) for key in unknown}
    telling = (key for key in unknown if key.lower() in _NO_VERBS or meant[key])
    key = next(telling, unknown[0])
    message = f"unknown verb `{key}`"
    hint = f"write `{meant[key]}` instead" if meant[key] else one_of
    hint = _NO_VERBS.get(key.lower(), hint)
    return ValidationError({key: validation_error("unknown-verb", message, hint).messages})


def _named_in(raw: Any) -> tuple[set[str], set[str]]:
    """All step ids and variable names anywhere in a raw step."""
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
