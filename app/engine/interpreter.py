"""Running a program: one record, a deadline, and one of four ends."""

from __future__ import annotations

from typing import Any

from app.engine.compiler import Program
from app.engine.control import DeadlinePassed, FailSignal, ReturnSignal, StepError
from app.engine.masking import masker
from app.engine.scope import Run, Scope, Tools
from app.engine.trace import Trace
from app.errors import FlowFailed, FlowTimeout

MAX_MESSAGE = 2_000
"""Characters of an error message; at most 1,000 of them quote a downstream."""


class Interpreter:
    """Runs programs with the tools of this process; safe to share between threads."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    def run(
        self,
        program: Program,
        inputs: dict[str, Any],
        request: dict[str, Any],
        instance_id: str,
        trace: Trace | None = None,
    ) -> dict[str, Any]:
        """The outputs of one run; ``inputs`` are coerced already.

        Raises:
            FlowFailed: a step failed and nothing handled it, or the flow said ``fail``.
            FlowTimeout: the flow passed its deadline.
        """
        flow, tools = program.flow, self.tools
        scope = Scope(
            inputs,
            request,
            {"key": flow.key, "version": flow.version, "instanceId": instance_id},
            tools,
        )
        secrets = _Secrets(scope, flow.secret_inputs)
        run = Run(scope, tools, tools.monotonic() + flow.timeout, secrets.mask, trace)
        try:
            return program.outputs(_outputs(program, run))
        except StepError as error:
            message = _where(error) + error.message
            raise FlowFailed(secrets.mask(message)[:MAX_MESSAGE]) from None
        except FailSignal as signal:
            raise FlowFailed(secrets.mask(signal.message), code=signal.code) from None
        except DeadlinePassed as signal:
            detail = f": {signal.detail}" if signal.detail else ""
            message = f"{_where(signal)}the flow took longer than {flow.timeout:g} s{detail}"
            raise FlowTimeout(secrets.mask(message)[:MAX_MESSAGE]) from None


def _where(error: StepError | DeadlinePassed) -> str:
    return f"step `{error.step}`: " if error.step else ""


def _outputs(program: Program, run: Run) -> dict[str, Any]:
    try:
        program.steps(run)
    except ReturnSignal as signal:
        return signal.outputs
    return {}


class _Secrets:
    """Masks the secrets of one run. Made for each run, so it does its work only when asked to."""

    __slots__ = ("_names", "_scope")

    def __init__(self, scope: Scope, names: tuple[str, ...]) -> None:
        self._scope = scope
        self._names = names

    def mask(self, text: str) -> str:
        inputs = [self._scope.inputs.get(name) for name in self._names]
        return masker([*inputs, *self._scope.secrets.values()])(text)
