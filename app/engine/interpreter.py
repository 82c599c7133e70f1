"""Running a program: one record, a deadline, and one of four ends."""

from __future__ import annotations

from typing import Any

from app.errors import FlowFailed, FlowTimeout, RunInterrupted
from app.runtime.journal import Journal
from app.runtime.masking import masker_of
from app.runtime.program import Program
from app.runtime.scope import Dependencies, Run, RunScope
from app.runtime.signals import DeadlinePassed, FailSignal, Interrupted, StepError
from app.runtime.trace import Trace

MAX_MESSAGE = 2_000
"""Characters of an error message; at most 1,000 of them quote a downstream."""


class Interpreter:
    """Runs programs with the tools of this process; safe to share between threads."""

    def __init__(self, dependencies: Dependencies) -> None:
        self.dependencies = dependencies

    def close(self) -> None:
        """Let go of the processes that the tools have started."""
        self.dependencies.python.close()

    def run(
        self,
        program: Program,
        inputs: dict[str, Any],
        request: dict[str, Any],
        run_id: str,
        trace: Trace | None = None,
        journal: Journal | None = None,
        seconds: float | None = None,
        *,
        allows_private: bool = False,
    ) -> dict[str, Any]:
        """The outputs of one run; ``inputs`` are coerced already.

        With a ``journal`` the run goes on after its last finished step; ``seconds`` is what is
        left of the time it may take; ``allows_private`` is as in :class:`Run`.

        Raises:
            FlowFailed: a step failed and nothing handled it, or the flow said ``fail``.
            FlowTimeout: the flow passed its deadline.
            RunInterrupted: a step had begun before, and may not be run twice.
            ClaimLost, ShuttingDown, Suspended: the run goes on elsewhere, or later.
        """
        flow, dependencies = program.flow, self.dependencies
        scope = self.scope(program, inputs, request, run_id)
        if journal is not None:
            scope.now, scope.uuid = journal.now, journal.uuid
        mask = masker_of(inputs, flow.secret_inputs, dependencies.secrets)
        deadline = dependencies.monotonic() + (flow.timeout if seconds is None else seconds)
        run = Run(scope, dependencies, deadline, mask, trace, journal)
        run.allows_private = allows_private
        try:
            return program.outputs_of(run)
        except StepError as error:
            # What a sub-flow said with `fail` is passed on as it is, as if this one had said it.
            message = error.message if error.kind == "fail" else _where(error) + error.message
            raise FlowFailed(mask(message)[:MAX_MESSAGE], code=error.code) from None
        except FailSignal as signal:
            raise FlowFailed(mask(signal.message), code=signal.code) from None
        except DeadlinePassed as signal:
            detail = f": {signal.detail}" if signal.detail else ""
            message = f"{_where(signal)}the flow took longer than {flow.timeout:g} s{detail}"
            raise FlowTimeout(mask(message)[:MAX_MESSAGE]) from None
        except RecursionError:
            raise FlowFailed("blocks and calls are nested too deep") from None
        except Interrupted as signal:
            raise RunInterrupted(_INTERRUPTED.format(signal.step)) from None

    def scope(
        self, program: Program, inputs: dict[str, Any], request: dict[str, Any], run_id: str
    ) -> RunScope:
        """What the expressions of a run can read when it begins."""
        flow = program.flow
        named = {"key": flow.key, "version": flow.version, "instanceId": run_id}
        return RunScope(inputs, request, named, self.dependencies)


_INTERRUPTED = (
    "step `{}`: its process died while it was under way, so it is not known whether it happened; "
    "a step that may run twice says `retryable: true`"
)


def _where(error: StepError | DeadlinePassed) -> str:
    return f"step `{error.step}`: " if error.step else ""
