"""A step in the journal of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step with an effect outside, as the run's journal keeps it.

    ``path`` is its place in the flow (``2/else/0``). ``outcome`` is ``ok``, ``error`` or
    ``timeout``; while it is ``None`` the step has begun and it is not known whether it happened.
    ``value`` is its result or its error as JSON text, dropped when the run ends; ``detail`` is one
    line for people, masked.
    """

    path: str
    name: str
    verb: str
    attempt: int
    started_at: float
    ended_at: float | None = None
    outcome: str | None = None
    value: str | None = None
    detail: str | None = None
