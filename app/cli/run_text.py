"""Runs as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.cli.output import coloured, table
from app.engine.masking import one_line
from app.errors import in_english
from app.instance import Instance
from app.json_text import dumps
from app.spec.diagnostics import visible
from app.view import MAX_STEPS, milliseconds, moment

VALUE_WIDTH = 1_000
"""Characters of the outputs that are shown."""

_RUN_HEADINGS = ("ID", "FLOW", "VERSION", "STATUS", "REASON", "ATTEMPT", "CREATED", "TOOK")
_STEP_HEADINGS = ("STEP", "VERB", "STATUS", "STARTED", "TOOK", "DETAIL")


def list_runs(instances: Sequence[Instance]) -> str:
    """One line a run."""
    return table(_RUN_HEADINGS, [_row(each) for each in instances])


def facts(instance: Instance) -> dict[str, Any]:
    """A run as a JSON object, with the keys of a view (:mod:`app.view`)."""
    return {
        "flowInstanceId": instance.id,
        "flowKey": instance.flow_key,
        "flowVersion": instance.flow_version,
        "status": instance.status,
        "reason": instance.outcome and instance.outcome.reason,
        "attempt": instance.attempt,
        "createdAt": moment(instance.created_at),
        "startedAt": moment(instance.started_at),
        "finishedAt": moment(instance.ended_at),
        "durationMs": milliseconds(instance.started_at, instance.ended_at),
    }


def one_line_state(instance: Instance) -> str:
    """``<id> <status>``, and the reason of an end that was no success."""
    reason = instance.outcome and instance.outcome.reason
    state = f"{instance.status} {reason}" if reason else instance.status
    return f"{instance.id} {coloured(state)}"


def describe_run(view: dict[str, Any], delivery: Instance | None) -> str:
    """A view (:mod:`app.view`) as lines and a table; ``delivery`` is the run of its callback."""
    lines = [f"{view['flowInstanceId']} {coloured(view['status'])}"]
    lines += [f"  {name:<9} {value}" for name, value in _facts(view, delivery)]
    if view["steps"]:
        lines += ["", table(_STEP_HEADINGS, [_step(step) for step in view["steps"]])]
    if len(view["steps"]) == MAX_STEPS:
        lines.append(f"(the last {MAX_STEPS} steps)")
    return "\n".join(lines)


def _facts(view: dict[str, Any], delivery: Instance | None) -> Iterator[tuple[str, str]]:
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


def _row(instance: Instance) -> tuple[str, ...]:
    return (
        instance.id,
        instance.flow_key,
        instance.flow_version,
        instance.status,
        (instance.outcome and instance.outcome.reason) or "-",
        str(instance.attempt),
        moment(instance.created_at) or "-",
        _took(milliseconds(instance.started_at, instance.ended_at)),
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
