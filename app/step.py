"""The Step contract: what a verb is. A verb is one file in ``steps/``, one line in its registry.

A verb is a frozen dataclass derived from :class:`Step` and a marshmallow schema derived from
:class:`StepSchema`. The dataclass says which templates it holds, which blocks it contains and what
it defines (read by ``spec/checks.py``), and builds the function that runs it (``engine/``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from marshmallow import ValidationError, fields, post_load

from app.expression import Compiled, Problem
from app.spec.diagnostics import did_you_mean
from app.spec.fields import (
    Condition,
    Duration,
    Flag,
    StrictSchema,
    Text,
    Whole,
    describe,
    mistake,
)
from app.spec.json_schema import STEP_REF, JsonSchema, about, field_schema, object_schema
from app.spec.model import Flow, RetryPolicy
from app.spec.surroundings import Surroundings

if TYPE_CHECKING:
    from app.engine.program import Program
    from app.engine.scope import Run

Path = tuple[str | int, ...]
Action = Callable[["Run"], Any]
"""A compiled step: runs, and returns the step's result."""


class Builder(Protocol):
    """What the compiler offers a verb."""

    def block(self, steps: Sequence[Step], path: Path) -> Action:
        """The function that runs these steps, one after the other; it returns what the last gives.

        ``path`` is where they stand inside the step that is built.
        """

    def round(self, steps: Sequence[Step]) -> Action:
        """The same for steps that run many times in a run, each time at another ``run.place``."""

    @property
    def place(self) -> str:
        """Where the step that is built stands, ``2/else/0``; behind ``run.place`` if it has one."""

    def may_repeat(self, step: Step) -> bool:
        """Whether the step, or its flow, says ``retryable: true``."""

    def program(self, name: str) -> Program:
        """The program of a flow that a step says it ``calls``."""

    def line_in_file(self, step: Step, key: str, line: int) -> int:
        """The line of the file that a line of the text at ``key`` of a step is, from 1."""

    def reads_fields_of_body(self, step_id: str | None) -> bool:
        """Whether the flow reads ``steps.<id>.body.<field>`` anywhere without ``default``."""


ALL_NAMES = frozenset({"steps", "vars"})


@dataclass(frozen=True, slots=True)
class Arm:
    """A block of steps inside a step; ``path`` is relative to the step, ``title`` for people.

    ``last`` are templates of the step that are evaluated when the block has run, and read what it
    defined. ``lets_out`` are the roots whose names outlive the block; ``loop_names`` are the roots
    that can be read in it because it runs more than once. ``behind`` says what to write in place of
    a name that does not outlive it.
    """

    path: Path
    title: str
    steps: tuple[Step, ...]
    last: tuple[tuple[Path, Compiled], ...] = ()
    lets_out: frozenset[str] = ALL_NAMES
    loop_names: frozenset[str] = frozenset()
    behind: str | None = None


SERVICE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""The name of a service or a database in ``services.yaml``."""

SCHEMES = ("http", "https")
"""Names that no service may have: ``http:`` begins a url."""


class Use(NamedTuple):
    """The name of something in ``services.yaml``; ``kind`` is ``services`` or ``databases``.

    ``path`` is where it stands inside the step, ``offset`` and ``length`` in the text there.
    """

    kind: str
    name: str
    path: Path
    offset: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The keys that every step shares. All class attributes below are facts about the verb."""

    id: str | None = None
    name: str | None = None
    when: Compiled | None = None
    timeout: float | None = None
    retry: RetryPolicy | None = None
    retryable: bool | None = None
    on_error: tuple[Step, ...] | None = None

    verb: ClassVar[str]
    schema: ClassVar[type[StepSchema]]
    result_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of ``steps.<id>``; none where nobody knows them before it runs."""
    without_result: ClassVar[str | None] = None
    """What to write so that it has a result, if it has none."""
    ends_flow: ClassVar[bool] = False
    """Nothing after this step in its block can run."""
    has_effect: ClassVar[bool] = False
    """It reaches outside of this process: it can fail for a while, and must not happen twice."""

    @property
    def label(self) -> str:
        """How messages call this step."""
        return self.id or self.name or self.verb

    @property
    def summary(self) -> str:
        """What stands after the verb in a list of steps; one line."""
        return ""

    @property
    def has_result(self) -> bool:
        """Whether ``steps.<id>`` can be read once it has run."""
        return bool(self.result_fields)

    def fields(self, around: Surroundings) -> tuple[str, ...]:
        """``result_fields``, also where they depend on what is around the flow."""
        return self.result_fields

    @property
    def calls(self) -> Iterable[str]:
        """Names of the flows that it runs, ``key/version``."""
        return ()

    def limit(self, builder: Builder) -> float | None:
        """Seconds that one attempt may take."""
        return self.timeout

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        """The step's own templates with their paths inside it (``when`` not among them).

        They are evaluated before any of its blocks.
        """
        return ()

    def arms(self) -> Sequence[Arm]:
        """The blocks inside this step, ``on_error`` not among them.

        At most one of them runs, unless ``runs_every_arm``.
        """
        return ()

    @property
    def runs_every_arm(self) -> bool:
        """Whether all of the arms run, each beside the others."""
        return False

    @property
    def is_exhaustive(self) -> bool:
        """Whether one of the arms always runs to its end; or all, if ``runs_every_arm``."""
        return False

    def defines(self) -> Iterable[str]:
        """Names this step assigns in ``vars``."""
        return ()

    def uses(self) -> Iterable[Use]:
        """What this step names of ``services.yaml``."""
        return ()

    def check(self, flow: Flow, around: Surroundings) -> Iterable[tuple[Path, Problem]]:
        """Mistakes that only the whole flow, or what is around it, shows; paths inside the step."""
        return ()

    def detail(self, result: Any) -> str:
        """What people read of a result, in one line; it shows no data."""
        return self.summary

    def default_retry(self, builder: Builder) -> Callable[[Run], RetryPolicy | None] | None:
        """How it is repeated where it says no ``retry`` itself, asked at each run."""
        return None

    def replayable(self, action: Action) -> Action:
        """The action, carried out or answered from the run's journal, and what follows from it."""
        return action

    def build(self, builder: Builder) -> Action:
        """The function that runs this step.

        The function raises only :class:`app.engine.control.StepError`, control signals and
        :class:`app.expression.ExpressionError`.
        """
        raise NotImplementedError


def every_step(steps: Sequence[Step]) -> Iterator[Step]:
    """These steps and all in the blocks within them."""
    for step in steps:
        yield step
        for arm in step.arms():
            yield from every_step(arm.steps)
        yield from every_step(step.on_error or ())


def called_in(steps: Sequence[Step]) -> frozenset[str]:
    """The flows that these steps call, ``key/version``."""
    return frozenset(name for step in every_step(steps) for name in step.calls)


def assigned_in(steps: Sequence[Step], path: Path = ()) -> Iterator[tuple[str, Path]]:
    """Variables that these steps may set for what follows them, each with the path of its step."""
    for index, step in enumerate(steps):
        here = (*path, index)
        yield from ((name, here) for name in step.defines())
        for arm in step.arms():
            if "vars" in arm.lets_out:
                yield from assigned_in(arm.steps, (*here, *arm.path))
        yield from assigned_in(step.on_error or (), (*here, "on_error"))


RETRY_KINDS = ("connection", "timeout", "conflict", "python")
RETRY_DEFAULT_ON: frozenset[int | str] = frozenset({*RETRY_KINDS, 429, 502, 503, 504})


class RetryOn(fields.Field[int | str]):
    """A status (100–599), or a kind of failure that may pass."""

    def json_schema(self) -> JsonSchema:
        statuses = {"type": "integer", "minimum": 100, "maximum": 599}
        return {"anyOf": [{"enum": list(RETRY_KINDS)}, statuses]}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int | str:
        if value in RETRY_KINDS:
            return str(value)
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return value
        near = did_you_mean(value, RETRY_KINDS) if isinstance(value, str) else None
        raise mistake(
            "bad-choice",
            f"expected {', '.join(RETRY_KINDS)} or a status, got {describe(value)}",
            f"write `{near}` instead" if near else None,
        )


class RetrySchema(StrictSchema):
    """``retry: 3``, or an object with these keys."""

    MISPLACED = {  # noqa: RUF012
        "max": "write `times` instead",
        "attempts": "write `times`: the repetitions, without the first try",
        "max_attempts": "write `times`: the repetitions, without the first try",
        "wait": "write `delay` instead",
        "interval": "write `delay` instead",
    }
    EXAMPLE = "write `retry: 3`"

    times = Whole(0, 10, load_default=3)
    on = fields.List(RetryOn, load_default=sorted(RETRY_DEFAULT_ON, key=str))
    delay = Duration(load_default=0.2)
    backoff = Whole(1, 10, load_default=2)
    max_delay = Duration(load_default=10.0)
    jitter = Flag(load_default=True)
    idempotent = Flag(load_default=False)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RetryPolicy:
        return RetryPolicy(
            **{**data, "on": frozenset(data["on"]), "backoff": float(data["backoff"])}
        )


class Retry(fields.Nested):
    """The ``retry`` key: a number of repetitions, or the whole policy."""

    def __init__(self, **options: Any) -> None:
        super().__init__(RetrySchema, **options)

    def json_schema(self) -> JsonSchema:
        times = field_schema(RetrySchema().fields["times"])
        return {"anyOf": [times, object_schema(RetrySchema())]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            value = {"times": value}
        return super()._deserialize(value, *args, **options)


class Block(fields.Field[tuple[Step, ...]]):
    """A list of steps, each recognised by its verb."""

    stand_in: tuple[Step, ...] = ()

    def json_schema(self) -> JsonSchema:
        return {"type": "array", "items": STEP_REF}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[Step, ...]:
        # The registry imports every verb, and verbs hold blocks: the circle is in the language.
        from app.steps import load_step

        if not isinstance(value, list):
            hint = "begin each step with `- `"
            raise mistake("wrong-type", f"expected a list of steps, got {describe(value)}", hint)
        steps: list[Step] = []
        errors: dict[int, Any] = {}
        for index, raw in enumerate(value):
            step, mistakes = load_step(raw)
            steps.append(step)
            if mistakes:
                errors[index] = mistakes
        if errors:
            raise ValidationError(errors, valid_data=steps)
        return tuple(steps)


class OnError(Block):
    """A block of steps, or the word ``continue``: go on as if nothing had happened."""

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"const": "continue"}, super().json_schema()]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> tuple[Step, ...]:
        if value == "continue":
            return ()
        if isinstance(value, str):
            raise mistake(
                "wrong-type",
                f"expected a list of steps or the word continue, got {describe(value)}",
                "write `on_error: continue`, or a list of steps below it",
            )
        return super()._deserialize(value, *args, **options)


NAME_RULE = "a name is a letter, then letters, digits or `_`, at most 64"


def name_hint(text: str) -> str:
    """A name that is near to ``text``, or the rule that names follow."""
    near = re.sub(r"\W+", "_", text, flags=re.ASCII)
    return f"write `{near}`" if is_name(near) else NAME_RULE


class Identifier(Text):
    """A name that expressions can read as ``steps.<id>``: letters, digits, ``_``."""

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        if not isinstance(value, str):
            raise mistake("bad-id", f"expected a name, got {describe(value)}", NAME_RULE)
        if not is_name(value):
            message = f"`{value}` is not a name that expressions can read"
            raise mistake("bad-id", message, name_hint(value))
        return value


def is_name(text: str) -> bool:
    """Whether expressions can read it with a dot."""
    return text.isidentifier() and text.isascii() and text[0] != "_" and len(text) <= 64


class StepSchema(StrictSchema):
    """The shared keys; each verb's schema adds its own."""

    id = Identifier(metadata=about("What expressions call its result: `steps.<id>`."))
    name = Text(metadata=about("What people call it."))
    when = Condition(metadata=about("Runs the step only if this condition holds."))
    timeout = Duration(metadata=about("How long it may take: `200ms`, `5s`, `10m`."))
    retry = Retry(metadata=about("How often it is repeated when it fails: a number, or an object."))
    retryable = Flag(
        metadata=about("Whether it may run twice, if its process died: it then sends one key.")
    )
    on_error = OnError(metadata=about("Steps to run when it failed, or `continue`."))
