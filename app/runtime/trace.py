"""The trace of a run: each step with its time, outcome and values. Only made when asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.expression import ExpressionError
from app.runtime.masking import mask_value
from app.runtime.scope import Action, Run
from app.runtime.signals import DeadlinePassed, FailSignal, ReturnSignal, Signal, StepError


@dataclass(slots=True)
class TraceEntry:
    """One step that ran. ``seconds`` is its duration, ``depth`` how many blocks it is in.

    ``part`` is the round or the branch that it belongs to: ``#17``, ``left``; or nothing.
    """

    label: str
    verb: str
    depth: int
    part: str = ""
    outcome: str = "running"
    seconds: float = 0.0
    value: Any = None


class Trace:
    """Entries in the order in which the steps began."""

    def __init__(self, depth: int = 0) -> None:
        self.entries: list[TraceEntry] = []
        self.depth = depth

    def branch(self) -> Trace:
        """A trace for a branch, at the same depth."""
        return Trace(self.depth)

    def join(self, branches: Sequence[Trace]) -> None:
        """Take the entries of branches, one branch after the other."""
        for branch in branches:
            self.entries += branch.entries

    def begin(self, label: str, verb: str, place: str) -> TraceEntry:
        """A new entry, one level inside those that have not ended; ``place`` is the run's."""
        part = _PART.search(place)
        entry = TraceEntry(label, verb, self.depth, _part(part) if part else "")
        self.entries.append(entry)
        self.depth += 1
        return entry


_PART = re.compile(r"(?:\[(\d+)\]|/parallel/(\w+))/$")
"""The end of a run's place inside a round or a branch."""


def _part(found: re.Match[str]) -> str:
    return found[2] or f"#{found[1]}"


def with_trace(action: Action, label: str, verb: str) -> Action:
    """The action, which leaves an entry in the run's trace. Values are masked at once."""

    def traced(run: Run) -> Any:
        if run.trace is None:
            return action(run)
        trace, clock = run.trace, run.dependencies.monotonic
        entry = trace.begin(label, verb, run.place)
        before, began = dict(run.scope.vars), clock()
        try:
            result = action(run)
            entry.outcome, entry.value = "ok", result if result is not None else _set(run, before)
        except (Signal, StepError, ExpressionError) as signal:
            entry.outcome, entry.value = _outcome(signal)
            raise
        finally:
            entry.seconds = clock() - began
            entry.value = mask_value(entry.value, run.mask)
            trace.depth -= 1
        return result

    return traced


def _set(run: Run, before: dict[str, Any]) -> dict[str, Any] | None:
    """The variables that a step changed."""
    after = run.scope.vars
    changed = {name: after[name] for name in after if before.get(name, run) is not after[name]}
    return changed or None


def _outcome(signal: Exception) -> tuple[str, Any]:
    if isinstance(signal, ReturnSignal):
        return "return", signal.outputs
    if isinstance(signal, FailSignal):
        return "fail", signal.message
    if isinstance(signal, StepError | ExpressionError):
        return "error", signal.message
    return ("timeout" if isinstance(signal, DeadlinePassed) else "stopped"), None
