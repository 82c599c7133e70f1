"""The one door for HTTP, CLI and workers: run, submit, execute, result.

A sync run walks from raw inputs to outputs at once. An async run is the same way cut in two after
coercion: ``submit`` stores the instance, commits and answers; ``execute`` walks the rest later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from app.catalog import Catalog
from app.engine.compiler import Program
from app.engine.interpreter import Interpreter
from app.engine.trace import Trace
from app.errors import Busy, FlowFailed, InstanceNotFound, SiteswapError
from app.executor import Executor
from app.instance import ID_PATTERN, Instance, Outcome, Status
from app.json_text import MAX_DEPTH, dumps, loads
from app.spec.inputs import coerce
from app.store import Store

T = TypeVar("T")

BUG = "an internal error; the server's log has it"
STORE_ATTEMPTS = 10
"""How often an accepted run asks a store that is busy, with a pause twice as long each time."""

PAYLOAD_DEPTH = MAX_DEPTH + 10
"""What was accepted at the greatest depth must still be readable inside a payload."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """The answer to a trigger. ``error`` is set exactly when ``status`` is ``ABORT``."""

    instance_id: str
    status: Status
    data: dict[str, Any] | None = None
    error: SiteswapError | None = None


RawInputs = Callable[[], Mapping[str, Any]]
"""Reads what the caller sent; called only once the flow is known to exist."""

RequestView = Callable[[], dict[str, Any]]
"""Makes what a flow reads as ``request``; called only for flows that read it."""


class Service:
    """Runs flows. ``clock`` is in seconds since the epoch; ``new_id`` makes one for a mode."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        interpreter: Interpreter,
        open_store: Callable[[], Store],
        executor: Callable[[Callable[[str], None]], Executor],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        new_id: Callable[[str], str],
        log: logging.Logger,
    ) -> None:
        self.catalog = catalog
        self.interpreter = interpreter
        self._open_store = open_store
        self.executor = executor(self.execute)
        self._clock = clock
        self._sleep = sleep
        self._new_id = new_id
        self._log = log

    @cached_property
    def store(self) -> Store:
        """Where accepted runs live. Opened by its first use: most commands need none.

        Raises:
            SettingsError: it cannot be opened at all.
        """
        return self._open_store()

    def trigger(self, key: str, version: str, given: RawInputs, request: RequestView) -> Triggered:
        """Run a sync flow, or accept a run of an async one.

        Raises:
            FlowNotFound, FlowDisabled: the flow cannot be called.
            InputsInvalid: all that is wrong with the inputs.
            Busy: an async run cannot be accepted now; nothing was kept of it.
        """
        program = self.catalog.get(key, version)
        inputs = coerce(program.flow.inputs, given())
        seen = request() if program.reads_request else {}
        if program.flow.mode == "async":
            return self.submit(program, inputs, seen)
        return self.run(program, inputs, seen)

    def run(
        self,
        program: Program,
        inputs: dict[str, Any],
        request: dict[str, Any],
        trace: Trace | None = None,
    ) -> Triggered:
        """One run, here and now. A failure is part of the answer, not an exception."""
        instance_id = self._new_id(program.flow.mode)
        try:
            data = self.interpreter.run(program, inputs, request, instance_id, trace)
        except SiteswapError as error:
            return Triggered(instance_id, Status.ABORT, error=error)
        except Exception:  # noqa: BLE001 - a bug is logged once and withheld
            self._log.exception("a bug met %s", instance_id)
            return Triggered(instance_id, Status.ABORT, error=FlowFailed(BUG))
        return Triggered(instance_id, Status.FINISH, data)

    def submit(
        self, program: Program, inputs: dict[str, Any], request: dict[str, Any]
    ) -> Triggered:
        """Accept a run: once this returns, the instance is committed and has its place."""
        flow = program.flow
        instance = Instance(
            id=self._new_id("async"),
            flow_key=flow.key,
            flow_version=flow.version,
            status=Status.INIT,
            created_at=self._clock(),
            payload=dumps({"inputs": inputs, "request": request}),
        )
        self.executor.reserve()
        try:
            self.store.add(instance)
        except BaseException:
            self.executor.cancel()
            raise
        self.executor.submit(instance.id)
        return Triggered(instance.id, Status.INIT)

    def execute(self, instance_id: str) -> None:
        """Run an accepted instance, unless somebody else does or did."""
        instance = self._patiently(lambda: self.store.claim(instance_id, self._clock()))
        if instance is not None:
            outcome = self._outcome(instance)
            self._patiently(lambda: self.store.complete(instance_id, outcome, self._clock()))

    def _outcome(self, instance: Instance) -> Outcome:
        try:
            program = self.catalog.get(instance.flow_key, instance.flow_version)
            payload = loads(instance.payload or "{}", PAYLOAD_DEPTH)
            data = self.interpreter.run(program, payload["inputs"], payload["request"], instance.id)
            return Outcome(Status.FINISH, result=dumps(data))
        except SiteswapError as error:
            return _aborted(error)
        except Exception:  # noqa: BLE001 - a bug is logged once and withheld
            self._log.exception("a bug met %s", instance.id)
            return _aborted(FlowFailed(BUG))

    def _patiently(self, operation: Callable[[], T]) -> T:
        """What the store answers, asked again while it is busy: nobody is there to be told so."""
        for attempt in range(STORE_ATTEMPTS - 1):
            try:
                return operation()
            except Busy:
                self._sleep(0.1 * 2**attempt)
        return operation()

    def result(self, instance_id: str) -> Instance:
        """An accepted instance as it stands now.

        Raises:
            InstanceNotFound: there is none, or the id is malformed.
            Busy: the store cannot be read now.
        """
        known = ID_PATTERN.fullmatch(instance_id) and self.store.get(instance_id)
        if not known:
            raise InstanceNotFound
        return known

    def close(self, timeout: float) -> None:
        """Finish accepted runs for up to ``timeout`` seconds, then let go of the store."""
        self.executor.close(timeout)
        if "store" in self.__dict__:
            self.store.close()


def _aborted(error: SiteswapError) -> Outcome:
    return Outcome(Status.ABORT, error_code=error.code, error_message=error.public)
