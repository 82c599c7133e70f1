"""Runs as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.cli.output import coloured, table
from app.errors import in_english
from app.runs.run import RunRecord
from app.runs.view import MAX_STEPS, milliseconds, moment
from app.runtime.masking import one_line
from app.strict_json import dumps
from app.yaml.diagnostics import visible

VALUE_WIDTH = 1_000
"""Characters of the outputs that are shown."""

_RUN_HEADINGS = ("ID", "FLOW", "VERSION", "STATUS", "REASON", "ATTEMPT", "CREATED", "TOOK")
_STEP_HEADINGS = ("STEP", "VERB", "STATUS", "STARTED", "TOOK", "DETAIL")


def list_runs(runs: Sequence[RunRecord]) -> str:
    """One line a run."""
    return table(_RUN_HEADINGS, [_row(each) for each in runs])


def facts(run: RunRecord) -> dict[str, Any]:
    """A run as a JSON object, with the keys of a view (:mod:`app.runs.view`)."""
    return {
        "flowInstanceId": run.id,
        "flowKey": run.flow_key,
        "flowVersion": run.flow_version,
        "status": run.status,
        "reason": run.outcome and run.outcome.reason,
        "attempt": run.attempt,
        "createdAt": moment(run.created_at),
        "startedAt": moment(run.started_at),
        "finishedAt": moment(run.ended_at),
        "durationMs": milliseconds(run.started_at, run.ended_at),
    }


def one_line_state(run: RunRecord) -> str:
    """``<id> <status>``, and the reason of an end that was no success."""
    reason = run.outcome and run.outcome.reason
    state = f"{run.status} {reason}" if reason else run.status
    return f"{run.id} {coloured(state)}"


def describe_run(view: dict[str, Any], delivery: RunRecord | None) -> str:
    """A view (:mod:`app.runs.view`) as lines and a table; ``delivery`` delivers its callback."""
    lines = [f"{view['flowInstanceId']} {coloured(view['status'])}"]
    lines += [f"  {name:<9} {value}" for name, value in _facts(view, delivery)]
    if view["steps"]:
        lines += ["", table(_STEP_HEADINGS, [_step(step) for step in view["steps"]])]
    if len(view["steps"]) == MAX_STEPS:
        lines.append(f"(the last {MAX_STEPS} steps)")
    return "\n".join(lines)


def _facts(view: dict[str, Any], delivery: RunRecord | None) -> Iterator[tuple[str, str]]:
    yield "flow", f"{view['flowKey']} {view['flowVersion']}"
    yield "attempt", str(view["attempt"])
    for name in ("created", "started", "finished"):
        yield name, view[f"{name}At"] or "-"
    if view["data"] is not None:
        yield "data", visible(one_line(dumps(view["data"]), VALUE_WIDTH))
    if error := view["error"]:
        message = in_english(error["code"], error["message"])
        yield "error", visible(f"{error['code']} {error['reason']}: {message}")
    if delivery is not None:
        yield "callback", one_line_state(delivery)


def _row(run: RunRecord) -> tuple[str, ...]:
    return (
        run.id,
        run.flow_key,
        run.flow_version,
        run.status,
        (run.outcome and run.outcome.reason) or "-",
        str(run.attempt),
        moment(run.created_at) or "-",
        _took(milliseconds(run.started_at, run.ended_at)),
    )


def _step(step: dict[str, Any]) -> tuple[str, ...]:
    return (
        visible(step["id"]),
        step["verb"],
        step["status"],
        step["startedAt"],
        _took(step["durationMs"]),
        visible(step["detail"] or "-"),
    )


def _took(duration: int | None) -> str:
    return "-" if duration is None else f"{duration / 1_000:.3f} s"
