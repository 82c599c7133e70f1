"""A run as people see it: bounded in size, secrets masked. HTTP and the command line show the same.

The keys are the contract of ``docs/open-api.md``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from app.errors import FlowNotFound, SiteswapError
from app.runs.execution import PAYLOAD_DEPTH
from app.runs.failure_detector import suspended_until
from app.runs.run import RunRecord, Status
from app.runs.runner import Runner
from app.runtime.masking import mask_value
from app.runtime.record import StepRecord
from app.strict_json import loads

MAX_STEPS = 200
"""The last ones are shown: how a run came to where it is."""
MAX_DATA = 100_000
"""Characters of outputs, as JSON. What is longer is for polling."""
MAX_MESSAGE = 2_000

_MANY = re.compile(r"\[|/(?:parallel|call)/")
"""In a place: the step is carried out more than once, or its name is in another file."""

UNKNOWN = "UNKNOWN"
"""A step that began, whose end was not written down, and that no process executes now."""


def view(runner: Runner, run: RunRecord) -> dict[str, Any]:
    """A run as a JSON object.

    Raises:
        Busy: the store cannot be read now.
    """
    records = runner.records(run.id, MAX_STEPS)
    return {
        "flowInstanceId": run.id,
        "flowKey": run.flow_key,
        "flowVersion": run.flow_version,
        "status": run.status,
        "data": _data(runner, run),
        "error": _error(run),
        "attempt": run.attempt,
        "createdAt": moment(run.created_at),
        "startedAt": moment(run.started_at),
        "finishedAt": moment(run.ended_at),
        "steps": [_step(run, record) for record in records],
    }


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def milliseconds(begin: float | None, end: float | None) -> int | None:
    """How long something took; never less than nothing, as wall clocks jump."""
    return None if begin is None or end is None else max(round((end - begin) * 1_000), 0)


def _data(runner: Runner, run: RunRecord) -> Any:
    """The outputs; ``None`` if they are too long, or it is not known any more what is secret."""
    text = run.outcome.result if run.outcome else None
    if text is None or len(text) > MAX_DATA:
        return None
    try:
        mask = runner.masker(run)
    except FlowNotFound:
        return None
    return mask_value(loads(text, PAYLOAD_DEPTH), mask)


def _error(run: RunRecord) -> dict[str, Any] | None:
    outcome = run.outcome
    if outcome is None or outcome.status is Status.FINISH:
        return None
    return {
        "code": outcome.error_code,
        # An older version kept runs without it.
        "reason": outcome.reason or SiteswapError.reason,
        "message": _text(outcome.error_message or ""),
    }


def _step(run: RunRecord, record: StepRecord) -> dict[str, Any]:
    # A step without a name of its own is called by its place: many may be called `http`. In
    # rounds, branches and called flows many may have the same name.
    name = record.path if record.name == record.verb else record.name
    if name != record.path and _MANY.search(record.path):
        name = f"{name} ({record.path})"
    return {
        "id": _text(name),
        "verb": record.verb,
        "status": _step_status(run, record),
        "startedAt": moment(record.started_at),
        "durationMs": milliseconds(record.started_at, record.ended_at),
        "detail": None if record.detail is None else _text(record.detail),
    }


def _step_status(run: RunRecord, record: StepRecord) -> str:
    if record.ended_at is not None:
        return Status.FINISH if record.outcome == "ok" else Status.ABORT
    is_held = not run.queued or suspended_until(run.owner) is not None
    is_under_way = run.status is Status.RUNNING and is_held
    return Status.RUNNING if is_under_way and record.attempt >= run.attempt else UNKNOWN


def _text(text: str) -> str:
    """Text that fits, and that can be sent: what a message quotes may hold half a character."""
    cut = text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"
    return cut.encode("utf-8", "replace").decode()
