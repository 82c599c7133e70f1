"""What HTTP, the command line, workers and upkeep ask: run, submit, execute, cancel, retry …

A sync run walks from raw inputs to outputs at once. An async run is the same way cut in two after
coercion: ``submit`` stores the run, commits and answers; ``execute`` walks the rest later.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.catalog.catalog import Catalog
from app.engine.interpreter import Interpreter
from app.errors import (
    Busy,
    FlowFailed,
    InputIssue,
    InputsInvalid,
    RunCancelled,
    RunNotFound,
    SiteswapError,
)
from app.expression import ExpressionError
from app.language.flow import DEFAULT_CONCURRENCY
from app.language.inputs import coerce
from app.language.url import InvalidUrl
from app.runs import callback
from app.runs.execution import BUG, Execution, aborted, end, read_payload
from app.runs.executor import Executor, Lane
from app.runs.run import ID_PATTERN, Claim, RunRecord, Status
from app.runs.store import Store
from app.runtime.masking import masker_of
from app.runtime.program import Program
from app.runtime.record import StepRecord
from app.runtime.trace import Trace
from app.strict_json import dumps

SUSPECT = Lane("suspect", 1)
"""Runs that were under way when two processes died. One at a time: a third death tells which."""
SUSPICIOUS = 2
PRUNED_AT_ONCE = 200
"""Runs in one call to the store: few enough that other calls do not wait long."""
_NOBODY: tuple[list[Any], ...] = ([None], [""])
"""Values of a callback url that mean that there is none, as pieces of its template."""


@dataclass(frozen=True, slots=True)
class TriggerResult:
    """The answer to a trigger. ``error`` is set exactly when ``status`` is ``ABORT``."""

    run_id: str
    status: Status
    data: dict[str, Any] | None = None
    error: SiteswapError | None = None


RawInputs = Callable[[], Mapping[str, Any]]
"""Reads what the caller sent; called only once the flow is known to exist."""

RequestView = Callable[[], dict[str, Any]]
"""Makes what a flow reads as ``request``; called only for flows that read it."""


class Runner:
    """Runs flows. ``clock`` is in seconds since the epoch; ``new_id`` makes one for a mode.

    ``new_seed`` makes the secret that a run's UUIDs follow from. ``owner`` is this process, once it
    serves; before, and in a command, runs are accepted for the processes that serve. ``unanswered``
    are runs that were refused, which the store may have all the same: id → how often looked for.
    """

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
        new_seed: Callable[[], str],
        log: logging.Logger,
    ) -> None:
        self.catalog = catalog
        self.interpreter = interpreter
        self._open_store = open_store
        self.execution = Execution(
            open_store=lambda: self.store,
            catalog=catalog,
            interpreter=interpreter,
            clock=clock,
            sleep=sleep,
            log=log,
        )
        self.executor = executor(self.execute)
        self.owner = ""
        self.announce: Callable[[], None] = lambda: None
        self.unanswered: dict[str, int] = {}
        self._clock = clock
        self._new_id = new_id
        self._new_seed = new_seed
        self._log = log

    @cached_property
    def store(self) -> Store:
        """Where accepted runs live. Opened by its first use: most commands need none.

        Raises:
            SettingsError: it cannot be opened at all.
        """
        return self._open_store()

    @property
    def queue_owner(self) -> str:
        """Whose the runs are that wait in our executor's queue: ours, or a broker's."""
        return self.owner if self.executor.keeps_queue else ""

    def trigger(
        self, key: str, version: str, given: RawInputs, request: RequestView
    ) -> TriggerResult:
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
    ) -> TriggerResult:
        """One run, here and now. A failure is part of the answer, not an exception."""
        run_id = self._new_id(program.flow.mode)
        try:
            data = self.interpreter.run(program, inputs, request, run_id, trace)
        except SiteswapError as error:
            return TriggerResult(run_id, Status.ABORT, error=error)
        except Exception:  # noqa: BLE001 - a bug is logged once and withheld
            self._log.exception("a bug met %s", run_id)
            return TriggerResult(run_id, Status.ABORT, error=FlowFailed(BUG))
        return TriggerResult(run_id, Status.FINISH, data)

    def submit(
        self,
        program: Program,
        inputs: dict[str, Any],
        request: dict[str, Any],
        *,
        allows_private: bool = False,
    ) -> TriggerResult:
        """Accept a run: once this returns, it is committed and has a place in the queue.

        ``allows_private`` is as in :class:`app.runtime.scope.Run`.
        """
        flow = program.flow
        run_id = self._new_id("async")
        payload = {
            "inputs": inputs,
            "request": request,
            "seed": self._new_seed(),
            "allows_private": allows_private,
            **self._callback(program, inputs, request, run_id),
        }
        run = RunRecord(
            id=run_id,
            flow_key=flow.key,
            flow_version=flow.version,
            status=Status.INIT,
            created_at=self._clock(),
            payload=dumps(payload),
            source=program.digest,
            owner=self.queue_owner,
        )
        if self._is_for_others:
            self.store.add(run, program.source)
        else:
            self._accept(run, program)
        return TriggerResult(run.id, Status.INIT)

    def _accept(self, run: RunRecord, program: Program) -> None:
        lane = _lane(run, program.flow.concurrency)
        self.announce()
        self.executor.reserve(lane.key)
        try:
            self.store.add(run, program.source)
        except BaseException:
            # The store may have it all the same, and no caller knows its id.
            self.unanswered[run.id] = 0
            self.executor.cancel()
            raise
        self.executor.submit(run.id, lane)

    @property
    def _is_for_others(self) -> bool:
        return not self.owner and self.executor.keeps_queue

    def _callback(
        self, program: Program, inputs: dict[str, Any], request: dict[str, Any], run_id: str
    ) -> dict[str, Any]:
        """The callback part of the payload; empty if there is no callback URL."""
        template = program.flow.callback
        if template is None:
            return {}
        scope = self.interpreter.scope(program, inputs, request, run_id)
        try:
            if template.parts.evaluate(scope) in _NOBODY:
                return {}
            url = template.make(scope)
        except ExpressionError as error:
            raise InputsInvalid([InputIssue("callback", error.message)]) from None
        except InvalidUrl as error:
            raise InputsInvalid([InputIssue("callback", str(error))]) from None
        if template.depends_on_data and url.startswith("/"):
            raise InputsInvalid([InputIssue("callback", "expected an http or https address")])
        return {"callback": url, "callback_allows_private": not template.depends_on_data}

    def execute(self, run_id: str) -> None:
        """Execute an accepted run, unless another process does or did.

        If the store is busy for too long, the reaper finds the run again.
        """
        try:
            self.announce()
            delivery = self.execution.execute(run_id, self.owner)
        except Busy as error:
            self._log.warning("%s has to wait: %s", run_id, error.public)
            return
        if delivery is not None:
            self.take(delivery)

    def take(self, run_id: str) -> bool:
        """Queue a run here that is queued in the store without an owner; whether there was room."""
        if self._is_for_others:
            return False
        try:
            self.executor.reserve()
        except Busy:
            return False
        self.hand_over(run_id)
        return True

    def hand_over(self, run_id: str) -> None:
        """Use a reservation for a run that is in the store."""
        try:
            run = self.store.get(run_id)
        except Busy:
            run = None
        if run is None or not run.queued:
            self.executor.cancel()
            return
        limit = self.catalog.concurrency(run.flow_key, run.flow_version)
        lane = _lane(run, limit or DEFAULT_CONCURRENCY)
        self.executor.submit(run_id, lane, first=run.attempt > 0)

    def result(self, run_id: str) -> RunRecord:
        """An accepted run as it is now.

        Raises:
            RunNotFound: there is none, or the id is malformed.
            Busy: the store cannot be read now.
        """
        known = ID_PATTERN.fullmatch(run_id) and self.store.get(run_id)
        if not known:
            raise RunNotFound
        return known

    def find(
        self, *, status: Status | None = None, flow_key: str | None = None, limit: int
    ) -> Sequence[RunRecord]:
        """Accepted runs, the newest first, as :meth:`app.runs.store.Store.find`."""
        return self.store.find(status=status, flow_key=flow_key, limit=limit)

    def delivery(self, run: RunRecord) -> RunRecord | None:
        """The run that delivers the callback of another one, if that has ended and has one."""
        return self.store.get(callback.delivery_id(run.id))

    def records(self, run_id: str, last: int) -> Sequence[StepRecord]:
        """The steps of a run that reached outside, as far as it got."""
        return self.store.records(run_id, last)

    def masker(self, run: RunRecord) -> Callable[[str], str]:
        """Masks the secrets of an accepted run.

        Raises:
            FlowNotFound: the flow is gone, and with it what says which inputs are secret.
        """
        secret = self.catalog.secret_inputs(
            run.flow_key, run.flow_version, run.source, lambda: self.store.source(run.source)
        )
        inputs = read_payload(run)["inputs"] if secret else {}
        return masker_of(inputs, secret, self.interpreter.dependencies.secrets)

    def cancel(self, run_id: str) -> RunRecord:
        """End a run that has not ended, and return it as it is then, whatever its state.

        A step that is under way goes on to its own end; nothing follows it.

        Raises:
            RunNotFound, Busy: as :meth:`result`.
        """
        run = self.result(run_id)
        if not run.status.is_terminal:
            outcome = aborted(RunCancelled())
            delivery = end(self.store, run, outcome, self._clock, whoever_has_it=True)
            if delivery is not None:
                self.take(delivery)
        return self.result(run_id)

    def retry(self, run_id: str) -> TriggerResult:
        """Accept a new run from the inputs of another, of the flow as its file is now.

        Raises:
            RunNotFound, FlowNotFound, FlowDisabled, InputsInvalid, Busy: as :meth:`trigger`.
        """
        run = self.result(run_id)
        program = self._program_now(run)
        payload = read_payload(run)
        inputs = coerce(program.flow.inputs, payload["inputs"])
        return self.submit(
            program, inputs, payload["request"], allows_private=payload["allows_private"]
        )

    def _program_now(self, run: RunRecord) -> Program:
        if run.source == callback.DIGEST:
            return self.catalog.pinned(callback.KEY, "v1", callback.DIGEST, lambda: callback.SOURCE)
        return self.catalog.get(run.flow_key, run.flow_version)

    # For the reaper

    @property
    def owners_here(self) -> set[str]:
        """Both names under which the store may know runs of this process."""
        return {self.owner, self.queue_owner}

    def heartbeat(self, count: int) -> None:
        """Tell the other processes that this one is alive; ``count`` differs from the last one.

        Raises:
            Busy: the store cannot take it now. The same holds for all methods below.
        """
        self.store.beat(self.owner, count)

    def owners(self) -> Mapping[str, int | None]:
        """Every owner's last heartbeat; see :meth:`app.runs.store.Store.owners`."""
        return self.store.owners()

    def retire(self, owner: str) -> None:
        """Forget an owner; other processes may take over its runs at once."""
        self.store.retire(owner)

    def claims_of(self, owners: Collection[str], limit: int) -> Sequence[Claim]:
        """Runs of these owners that have not ended, the oldest first."""
        return self.store.held(owners, limit)

    def is_under_way(self, run_id: str) -> bool:
        """Whether this process executes the run now."""
        return run_id in self.execution.under_way

    def adopt(self, claims: Sequence[Claim]) -> tuple[int, int]:
        """Queue these runs here, as far as there is room: how many were tried, how many came."""
        places = self._reserve(len(claims))
        adopted = self.store.adopt(claims[:places], self.queue_owner) if places else ()
        for run_id in adopted:
            self.hand_over(run_id)
        for _ in range(places - len(adopted)):
            self.executor.cancel()
        return places, len(adopted)

    def _reserve(self, wanted: int) -> int:
        for place in range(wanted):
            try:
                self.executor.reserve()
            except Busy:
                return place
        return wanted

    def submit_again(self, queued: Sequence[str]) -> None:
        """Queue those of these runs here that the executor has lost, as far as there is room."""
        for run_id in self.executor.lost(queued) if queued else ():
            if not self.take(run_id):
                return

    def withdraw(self, run_id: str) -> None:
        """End a run that was refused to its caller, and that the store has all the same."""
        outcome = aborted(RunCancelled("it was never accepted"))
        self.store.complete(run_id, None, outcome, self._clock())
        del self.unanswered[run_id]

    def prune(self, seconds: float, keep: int, calls: int | None = None) -> int:
        """Drop the runs that ended longer ago, and of the others all but the newest; how many.

        With ``calls`` at most so many calls of the store are made.
        """
        oldest, dropped = self._clock() - seconds, 0
        for _ in itertools.count() if calls is None else range(calls):
            last = self.store.prune(oldest, keep, PRUNED_AT_ONCE)
            dropped += last
            if last < PRUNED_AT_ONCE:
                break
        return dropped

    def close_store(self) -> None:
        """Close the store if it was opened; nothing may follow."""
        if "store" in vars(self):
            self.store.close()

    def close(self, timeout: float) -> None:
        """Finish what is under way for up to ``timeout`` seconds, hand back what is not finished.

        What is queued stays in the store, for the next start or another process.
        """
        last = min(timeout / 4, 5.0)
        if not self.executor.close(timeout - last):
            self.execution.stop()
            self.executor.close(last)


def _lane(run: RunRecord, limit: int) -> Lane:
    if run.crashes >= SUSPICIOUS:
        return SUSPECT
    return Lane(f"{run.flow_key}/{run.flow_version}", limit)
