"""What a step of a flow is: its keys, its blocks, and what is known of it before it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from app.expression import Compiled, Issue
from app.language.environment import Environment
from app.language.retry import RetryPolicy

if TYPE_CHECKING:
    from app.language.blocks import StepSchema
    from app.language.flow import Flow

Path = tuple[str | int, ...]

ALL_NAMES = frozenset({"steps", "vars"})


@dataclass(frozen=True, slots=True)
class Block:
    """A block of steps inside a step; ``path`` is relative to the step, ``title`` for people.

    ``last`` are templates of the step that are evaluated when the block has run, and read what it
    defined. ``exports`` are the roots whose names outlive the block; ``loop_names`` are the roots
    that can be read in it because it runs more than once. ``hint`` says what to write in
    place of a name that does not outlive it.
    """

    path: Path
    title: str
    steps: tuple[Step, ...]
    last: tuple[tuple[Path, Compiled], ...] = ()
    exports: frozenset[str] = ALL_NAMES
    loop_names: frozenset[str] = frozenset()
    hint: str | None = None


class Use(NamedTuple):
    """The name of something in ``services.yaml``; ``kind`` is ``services`` or ``databases``.

    ``path`` is its place inside the step, ``offset`` and ``length`` those in the text there.
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

    verbs: ClassVar[dict[str, type[Step]]] = {}
    """Every verb of the language, by its name; :mod:`app.verbs` fills it."""

    verb: ClassVar[str]
    schema: ClassVar[type[StepSchema]]
    result_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of ``steps.<id>``; none if they are not known before it runs."""
    without_result: ClassVar[str | None] = None
    """What to write so that it has a result, if it has none."""
    ends_flow: ClassVar[bool] = False
    """Nothing after this step in its block can run."""
    has_effect: ClassVar[bool] = False
    """It changes or asks something outside this process, so it may fail for a while. Unless
    :attr:`unsafe_repetition` says otherwise, it must not happen twice."""

    @property
    def label(self) -> str:
        """How messages call this step."""
        return self.id or self.name or self.verb

    @property
    def summary(self) -> str:
        """The text after the verb in a list of steps; one line."""
        return ""

    @property
    def has_result(self) -> bool:
        """Whether ``steps.<id>`` can be read once it has run."""
        return bool(self.result_fields)

    def fields(self, environment: Environment) -> tuple[str, ...]:
        """``result_fields``, also where they depend on the environment."""
        return self.result_fields

    @property
    def unsafe_repetition(self) -> str | None:
        """The sentence that warns of a repetition after a failure; ``None`` if that does no harm.

        What has an effect is unsafe until its verb says otherwise.
        """
        if not self.has_effect:
            return None
        return f"a `{self.verb}` that is repeated may be carried out twice"

    def may_repeat(self, flow: Flow) -> bool:
        """Whether it says ``retryable: true``, or its flow does and it says nothing."""
        return flow.retryable if self.retryable is None else self.retryable

    @property
    def calls(self) -> Iterable[str]:
        """Names of the flows that it runs, ``key/version``."""
        return ()

    def templates(self) -> Iterable[tuple[Path, Compiled]]:
        """The step's own templates with their paths inside it (``when`` not among them).

        They are evaluated before any of its blocks.
        """
        return ()

    def blocks(self) -> Sequence[Block]:
        """The blocks inside this step, ``on_error`` not among them.

        At most one of them runs, unless ``runs_every_block``.
        """
        return ()

    @property
    def runs_every_block(self) -> bool:
        """Whether all of the blocks run, at once."""
        return False

    @property
    def is_exhaustive(self) -> bool:
        """Whether one of the blocks always runs to its end; or all, if ``runs_every_block``."""
        return False

    def defines(self) -> Iterable[str]:
        """Names this step assigns in ``vars``."""
        return ()

    def uses(self) -> Iterable[Use]:
        """What this step names of ``services.yaml``."""
        return ()

    def check(self, flow: Flow, environment: Environment) -> Iterable[tuple[Path, Issue]]:
        """What is wrong in view of the whole flow or the environment; paths inside the step."""
        return ()


def every_step(steps: Sequence[Step]) -> Iterator[Step]:
    """These steps and all in the blocks within them."""
    for step in steps:
        yield step
        for block in step.blocks():
            yield from every_step(block.steps)
        yield from every_step(step.on_error or ())


def called_in(steps: Sequence[Step]) -> frozenset[str]:
    """The flows that these steps call, ``key/version``."""
    return frozenset(name for step in every_step(steps) for name in step.calls)


def assigned_in(steps: Sequence[Step], path: Path = ()) -> Iterator[tuple[str, Path]]:
    """Variables that these steps may set for what follows them, each with the path of its step."""
    for index, step in enumerate(steps):
        here = (*path, index)
        yield from ((name, here) for name in step.defines())
        for block in step.blocks():
            if "vars" in block.exports:
                yield from assigned_in(block.steps, (*here, *block.path))
        yield from assigned_in(step.on_error or (), (*here, "on_error"))
