"""What one run carries: the names expressions can read, and the means steps act with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.database import Databases, NoDatabases, Session
from app.engine.gates import Gates
from app.secret_files import Secrets
from app.transport import Transport

if TYPE_CHECKING:
    from app.engine.journal import Journal
    from app.engine.trace import Trace
    from app.spec.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The outside world, as arguments. One per process; safe to share between runs."""

    transport: Transport
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
    log: logging.Logger
    service: Callable[[str], Service | None] = lambda _: None
    """A service of ``services.yaml`` by its name, as it is now."""
    databases: Databases = field(default_factory=NoDatabases)
    gates: Gates = field(default_factory=Gates)
    """Bounds how many requests to each service are under way at once."""


class Scope:
    """The roots an expression can read. Values are JSON values and are never changed in place."""

    __slots__ = (
        "env",
        "error",
        "flow",
        "index",
        "inputs",
        "item",
        "now",
        "request",
        "secrets",
        "steps",
        "uuid",
        "vars",
    )

    def __init__(
        self, inputs: dict[str, Any], request: dict[str, Any], flow: dict[str, Any], tools: Tools
    ) -> None:
        self.inputs = inputs
        self.request = request
        self.flow = flow
        self.env = tools.env
        self.secrets = tools.secrets.values
        self.now = tools.now
        self.uuid = tools.uuid
        self.steps: dict[str, Any] = {}
        self.vars: dict[str, Any] = {}
        self.error: Any = None
        self.item: Any = None
        self.index: Any = None


class Run:
    """One run in progress. ``deadline`` is on ``tools.monotonic`` and is only ever narrowed.

    ``idempotency_key`` is of the step under way, if that may be repeated; ``transaction`` is the
    block's that is under way. With ``allows_private`` its urls may lead anywhere: the operator
    chose them, although they came as inputs.
    """

    __slots__ = (
        "allows_private",
        "deadline",
        "idempotency_key",
        "journal",
        "mask",
        "scope",
        "tools",
        "trace",
        "transaction",
    )

    def __init__(
        self,
        scope: Scope,
        tools: Tools,
        deadline: float,
        mask: Callable[[str], str],
        trace: Trace | None = None,
        journal: Journal | None = None,
        *,
        allows_private: bool = False,
    ) -> None:
        self.scope = scope
        self.tools = tools
        self.deadline = deadline
        self.mask = mask
        self.trace = trace
        self.journal = journal
        self.allows_private = allows_private
        self.idempotency_key = ""
        self.transaction: Session | None = None
