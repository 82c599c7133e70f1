"""Running a program: one record, a deadline, and one of four ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.engine.control import (
    DeadlinePassed,
    FailSignal,
    Interrupted,
    StepError,
)
from app.engine.journal import Journal
from app.engine.masking import masker
from app.engine.program import Program
from app.engine.scope import Run, Scope, Tools
from app.engine.trace import Trace
from app.errors import FlowFailed, FlowTimeout, RunInterrupted
from app.secret_files import Secrets
from app.spec.model import Input, secrets_in

MAX_MESSAGE = 2_000
"""Characters of an error message; at most 1,000 of them quote a downstream."""


class Interpreter:
    """Runs programs with the tools of this process; safe to share between threads."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    def close(self) -> None:
        """Let go of the processes that the tools have started."""
        self.tools.python.close()

    def run(
        self,
        program: Program,
        inputs: dict[str, Any],
        request: dict[str, Any],
        instance_id: str,
        trace: Trace | None = None,
        journal: Journal | None = None,
        seconds: float | None = None,
        *,
        allows_private: bool = False,
    ) -> dict[str, Any]:
        """The outputs of one run; ``inputs`` are coerced already.

        With a ``journal`` the run goes on behind its last finished step; ``seconds`` is what is
        left of the time it may take; ``allows_private`` is as in :class:`Run`.

        Raises:
            FlowFailed: a step failed and nothing handled it, or the flow said ``fail``.
            FlowTimeout: the flow passed its deadline.
            RunInterrupted: a step had begun before, and may not be run twice.
            HoldLost, HandedBack, Parked: the run goes on elsewhere, or later.
        """
        flow, tools = program.flow, self.tools
        scope = self.scope(program, inputs, request, instance_id)
        if journal is not None:
            scope.now, scope.uuid = journal.now, journal.uuid
        mask = masker_of(inputs, flow.secret_inputs, tools.secrets)
        deadline = tools.monotonic() + (flow.timeout if seconds is None else seconds)
        run = Run(scope, tools, deadline, mask, trace, journal)
        run.allows_private = allows_private
        try:
            return program.outputs_of(run)
        except StepError as error:
            # What a sub-flow said with `fail` stands alone, as if this one had said it.
            message = error.message if error.kind == "fail" else _where(error) + error.message
            raise FlowFailed(mask(message)[:MAX_MESSAGE], code=error.code) from None
        except FailSignal as signal:
            raise FlowFailed(mask(signal.message), code=signal.code) from None
        except DeadlinePassed as signal:
            detail = f": {signal.detail}" if signal.detail else ""
            message = f"{_where(signal)}the flow took longer than {flow.timeout:g} s{detail}"
            raise FlowTimeout(mask(message)[:MAX_MESSAGE]) from None
        except RecursionError:
            raise FlowFailed("blocks and calls stand too deep within each other") from None
        except Interrupted as signal:
            raise RunInterrupted(_INTERRUPTED.format(signal.step)) from None

    def scope(
        self, program: Program, inputs: dict[str, Any], request: dict[str, Any], instance_id: str
    ) -> Scope:
        """What the expressions of a run can read when it begins."""
        flow = program.flow
        named = {"key": flow.key, "version": flow.version, "instanceId": instance_id}
        return Scope(inputs, request, named, self.tools)


_INTERRUPTED = (
    "step `{}`: its process died while it was under way, so nobody knows whether it happened; "
    "a step that may run twice says `retryable: true`"
)


def _where(error: StepError | DeadlinePassed) -> str:
    return f"step `{error.step}`: " if error.step else ""


def masker_of(
    inputs: Mapping[str, Any], secret_inputs: Mapping[str, Input], secrets: Secrets
) -> Callable[[str], str]:
    """Masks the secrets of one run. Each has its own, which does its work only when asked to."""
    known: tuple[str, ...] | None = None
    masked: Callable[[str], str] = str

    def mask(text: str) -> str:
        nonlocal known, masked
        if known is not secrets.masked:
            known = secrets.masked
            masked = masker([*secrets_in(secret_inputs, inputs), *known])
        return masked(text)

    return mask
