"""What one run carries: the names that expressions read, and what its steps act with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.config.secrets import Secrets
from app.database.contract import Databases, DatabaseSession, NoDatabases
from app.http.message import Transport
from app.python.contract import PythonRunner
from app.runtime.limiter import ConcurrencyLimiters

if TYPE_CHECKING:
    from app.language.services.service import Service
    from app.runtime.journal import Journal
    from app.runtime.threads import ThreadPool
    from app.runtime.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The outside world, as arguments. One per process; safe to share between runs."""

    transport: Transport
    python: PythonRunner
    monotonic: Callable[[], float]
    """Seconds of a clock that never goes back; deadlines are measured on it."""
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """A number in [0, 1), for jitter."""
    now: Callable[[], datetime]
    """The wall clock, aware and in UTC, for expressions."""
    uuid: Callable[[], str]
    env: Mapping[str, str]
    """The environment variables flows may read."""
    secrets: Secrets
    max_response_bytes: int
    thread_pool: ThreadPool
    """Threads for what a run does at once."""
    log: logging.Logger
    service: Callable[[str], Service | None] = lambda _: None
    """A service of ``services.yaml`` by its name, as it is now."""
    databases: Databases = field(default_factory=NoDatabases)
    limiters: ConcurrencyLimiters = field(default_factory=ConcurrencyLimiters)
    """Bounds how many requests to each service are under way at once."""


class RunScope:
    """The roots an expression can read. Values are JSON values and are never changed in place."""

    __slots__ = (
        "_secrets",
        "env",
        "error",
        "flow",
        "index",
        "inputs",
        "item",
        "now",
        "request",
        "steps",
        "uuid",
        "vars",
    )

    def __init__(
        self,
        inputs: dict[str, Any],
        request: dict[str, Any],
        flow: dict[str, Any],
        dependencies: Dependencies,
    ) -> None:
        self.inputs = inputs
        self.request = request
        self.flow = flow
        self.env = dependencies.env
        self._secrets = dependencies.secrets
        self.now = dependencies.now
        self.uuid = dependencies.uuid
        self.steps: dict[str, Any] = {}
        self.vars: dict[str, Any] = {}
        self.error: Any = None
        self.item: Any = None
        self.index: Any = None

    @property
    def secrets(self) -> Mapping[str, str]:
        """As they are now: one that changes while a run is long changes for the run, too."""
        return self._secrets.values

    def inner(self) -> RunScope:
        """A scope that begins as this one is now; what is defined in either stays there."""
        inner: RunScope = object.__new__(RunScope)
        inner.inputs, inner.request, inner.flow = self.inputs, self.request, self.flow
        inner.env, inner._secrets = self.env, self._secrets
        inner.now, inner.uuid = self.now, self.uuid
        inner.error, inner.item, inner.index = self.error, self.item, self.index
        inner.steps, inner.vars = dict(self.steps), dict(self.vars)
        return inner


class StopFlag:
    """Tells branches, and the branches within them, to stop before their next step."""

    __slots__ = ("_above", "_is_called")

    def __init__(self, above: StopFlag | None) -> None:
        self._above = above
        self._is_called = False

    def call(self) -> None:
        """Stop all branches that check this flag."""
        self._is_called = True

    @property
    def is_called(self) -> bool:
        return self._is_called or (self._above is not None and self._above.is_called)


class Run:
    """One run in progress, or one of its branches, which is a run of its own within the other.

    ``deadline`` is on ``tools.monotonic`` and is only ever narrowed. ``idempotency_key`` is of the
    step under way, if that may be repeated; ``transaction`` is the one that is under way. ``place``
    is the prefix of the place of each step that is carried out more than once: ``2/else/0[17]/`` in
    a loop, ``3/`` in a sub-flow. With ``allows_private`` its urls may lead anywhere: the operator
    chose them, although they came as inputs.
    """

    __slots__ = (
        "allows_private",
        "deadline",
        "dependencies",
        "idempotency_key",
        "journal",
        "mask",
        "place",
        "scope",
        "stop_flag",
        "trace",
        "transaction",
    )

    def __init__(
        self,
        scope: RunScope,
        dependencies: Dependencies,
        deadline: float,
        mask: Callable[[str], str],
        trace: Trace | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.scope = scope
        self.dependencies = dependencies
        self.deadline = deadline
        self.mask = mask
        self.trace = trace
        self.journal = journal
        self.allows_private = False
        self.idempotency_key = ""
        self.transaction: DatabaseSession | None = None
        self.place = ""
        self.stop_flag: StopFlag | None = None

    def branch(self, place: str, stop_flag: StopFlag) -> Run:
        """A branch of this run, to be carried out on another thread."""
        journal = self.journal.branch(place) if self.journal else None
        trace = self.trace.branch() if self.trace else None
        branch = Run(
            self.scope.inner(), self.dependencies, self.deadline, self.mask, trace, journal
        )
        if journal is not None:
            branch.scope.now, branch.scope.uuid = journal.now, journal.uuid
        branch.place, branch.stop_flag = place, stop_flag
        branch.allows_private = self.allows_private
        return branch

    def enter(self, scope: RunScope, mask: Callable[[str], str], place: str) -> Run:
        """A run within this one, on the same thread, that reads another scope."""
        inner = Run(scope, self.dependencies, self.deadline, mask, self.trace, self.journal)
        scope.now, scope.uuid = self.scope.now, self.scope.uuid
        inner.place, inner.stop_flag = place, self.stop_flag
        return inner

    def join(self, time: float, traces: Sequence[Trace], place: str) -> None:
        """Go on after branches that have ended, the last of them at ``time`` of the journal."""
        if self.journal is not None:
            self.journal.join(time, place)
        if self.trace is not None:
            self.trace.join(traces)

    @property
    def is_stopped(self) -> bool:
        """Whether it is a branch that another one has stopped."""
        return self.stop_flag is not None and self.stop_flag.is_called


Action = Callable[[Run], Any]
"""A compiled step: carries it out in a run, and returns its result."""
