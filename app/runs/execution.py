"""Executing accepted runs in this process: claim, run under a journal, complete.

There is one way through it for every executor and for every attempt. Who lost a run on the way, to
a canceller or to another process, stops without a word: the other's word counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from app.catalog.catalog import Catalog
from app.engine.interpreter import Interpreter
from app.errors import Busy, FlowFailed, RunCrashed, SiteswapError
from app.runs import callback
from app.runs.failure_detector import suspended_owner
from app.runs.run import Outcome, RunRecord, Status
from app.runs.store import Store
from app.runtime.journal import Journal
from app.runtime.record import StepRecord
from app.runtime.signals import ClaimLost, ShuttingDown, Suspended
from app.strict_json import MAX_DEPTH, dumps, loads

T = TypeVar("T")

BUG = "an internal error; the server's log has it"
STORE_ATTEMPTS = 10
"""How often an accepted run asks a store that is busy, with a pause twice as long each time."""

PAYLOAD_DEPTH = MAX_DEPTH + 10
"""What was accepted at the greatest depth must still be readable inside a payload."""

MAX_CRASHES = 3
"""A run that was under way each time when so many processes died is not tried again."""


class Execution:
    """Executes runs. ``clock`` is in seconds since the epoch; ``under_way`` are their ids."""

    def __init__(
        self,
        *,
        open_store: Callable[[], Store],
        catalog: Catalog,
        interpreter: Interpreter,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        log: logging.Logger,
    ) -> None:
        self._open_store = open_store
        self._catalog = catalog
        self._interpreter = interpreter
        self._clock = clock
        self._sleep = sleep
        self._log = log
        self._stopping = False
        self.under_way: set[str] = set()

    def stop(self) -> None:
        """Let every run that is under way be handed back before its next step."""
        self._stopping = True

    def execute(self, run_id: str, owner: str) -> str | None:
        """Execute a queued run unless another process has it; the id of its callback, if any."""
        if self._stopping:
            return None
        store, now = self._open_store(), self._clock
        run = self._patiently(lambda: store.claim(run_id, owner, now()))
        if run is None:
            return None
        self.under_way.add(run_id)
        try:
            return self._carry_out(store, run)
        finally:
            self.under_way.discard(run_id)

    def _carry_out(self, store: Store, run: RunRecord) -> str | None:
        try:
            outcome = self._outcome(store, run)
        except ClaimLost:
            return None
        except ShuttingDown:
            self._patiently(lambda: store.release(run.claim))
            return None
        except Suspended as signal:
            owner = suspended_owner(signal.until)
            self._patiently(lambda: store.release(run.claim, owner))
            return None
        return self._patiently(partial(end, store, run, outcome, self._clock))

    def _outcome(self, store: Store, run: RunRecord) -> Outcome:
        try:
            return Outcome(Status.FINISH, result=dumps(self._outputs(store, run)))
        except SiteswapError as error:
            return aborted(error)
        except (ClaimLost, ShuttingDown, Suspended):
            raise
        except Exception:  # noqa: BLE001 - a bug is logged once and withheld
            self._log.exception("a bug met %s", run.id)
            return aborted(FlowFailed(BUG))

    def _outputs(self, store: Store, run: RunRecord) -> dict[str, Any]:
        if run.crashes >= MAX_CRASHES:
            raise RunCrashed(f"its process died {run.crashes} times while it ran")
        source = partial(store.source, run.source)
        program = self._catalog.pinned(
            run.flow_key,
            run.flow_version,
            run.source,
            lambda: self._patiently(source),
        )
        payload = read_payload(run)
        return self._interpreter.run(
            program,
            payload["inputs"],
            payload["request"],
            run.id,
            journal=self._journal(store, run, payload.get("seed", run.id)),
            seconds=self._seconds_left(run, program.flow.timeout),
            allows_private=payload["allows_private"],
        )

    def _journal(self, store: Store, run: RunRecord, seed: str) -> Journal:
        def write(record: StepRecord) -> bool:
            return self._patiently(lambda: store.record(run.claim, record))

        is_first = run.attempt == 1
        return Journal(
            attempt=run.attempt,
            started_at=run.started_at or self._clock(),
            seed=seed,
            records=() if is_first else self._patiently(lambda: store.records(run.id)),
            write=write,
            clock=self._clock,
            stopping=lambda: self._stopping,
        )

    def _seconds_left(self, run: RunRecord, timeout: float) -> float:
        """What is left to an attempt. The first has no need of the wall clock, which may jump."""
        if run.attempt == 1 or run.started_at is None:
            return timeout
        return min(timeout, run.started_at + timeout - self._clock())

    def _patiently(self, operation: Callable[[], T]) -> T:
        """What the store answers. While it is busy it is asked again, as no caller waits."""
        for attempt in range(STORE_ATTEMPTS - 1):
            try:
                return operation()
            except Busy:
                self._sleep(0.1 * 2**attempt)
        return operation()


def end(
    store: Store,
    run: RunRecord,
    outcome: Outcome,
    clock: Callable[[], float],
    *,
    whoever_has_it: bool = False,
) -> str | None:
    """End a run, and add the delivery to its callback in the same step; that one's id.

    Raises:
        Busy: the store cannot take it now.
    """
    payload, now = read_payload(run), clock()
    claim = None if whoever_has_it else run.claim
    if "callback" not in payload:
        store.complete(run.id, claim, outcome, now)
        return None
    then = callback.delivery(run, payload, outcome, now)
    ended = store.complete(run.id, claim, outcome, now, then, callback.SOURCE)
    return then.id if ended else None


def aborted(error: SiteswapError) -> Outcome:
    """The outcome of a run that failed."""
    return Outcome(
        Status.ABORT, error_code=error.code, error_message=error.public, reason=error.reason
    )


def read_payload(run: RunRecord) -> dict[str, Any]:
    """What the run was accepted with: ``inputs``, ``request``, and perhaps more.

    ``callback`` is the address to tell of its end, and ``callback_allows_private`` what its
    delivery is accepted with as ``allows_private`` (see :class:`app.runtime.scope.Run`).
    """
    payload: dict[str, Any] = loads(run.payload or "{}", PAYLOAD_DEPTH)
    return {"inputs": {}, "request": {}, "seed": "", "allows_private": False, **payload}
