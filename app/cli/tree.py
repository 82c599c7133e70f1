"""Flows and traces as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.engine.masking import one_line
from app.engine.trace import Entry, Trace
from app.json_text import dumps
from app.spec.model import Flow, Input
from app.step import Path, Step

VALUE_WIDTH = 200


def describe_flow(flow: Flow) -> str:
    """Inputs, outputs, and the steps as a tree."""
    state = "" if flow.enabled else ", disabled"
    lines = [f"{flow.key} {flow.version} ({flow.mode}, {flow.timeout:g} s{state})"]
    lines += [f"  {text}" for text in (flow.name, flow.description) if text]
    lines += ["", "inputs", *(_input(*item) for item in flow.inputs.items())]
    lines += ["", "outputs", *(f"  {name}: {kind}" for name, kind in flow.outputs.items())]
    lines += ["", "steps", *_block(flow.steps, "  ")]
    return "\n".join(lines)


def _input(name: str, spec: Input) -> str:
    facts = ["required" if spec.required else f"default {dumps(spec.default)}"]
    facts += ["secret"] if spec.secret else []
    about = f"  {spec.description}" if spec.description else ""
    return f"  {name}: {spec.type} ({', '.join(facts)}){about}"


def _block(steps: Sequence[Step], indent: str) -> Iterator[str]:
    for step in steps:
        yield f"{indent}- {_headline(step)}"
        for arm in step.arms():
            yield f"{indent}    {_title(arm.path)}:"
            yield from _block(arm.steps, indent + "      ")
        if step.on_error is not None:
            yield f"{indent}    on_error:{'' if step.on_error else ' continue'}"
            yield from _block(step.on_error, indent + "      ")


def _headline(step: Step) -> str:
    label = f" [{step.id}]" if step.id else ""
    name = f" {step.name}" if step.name else ""
    extras = [f"when {step.when.source}"] if step.when else []
    extras += [f"timeout {step.timeout:g} s"] if step.timeout else []
    extras += [f"retry {step.retry.times}"] if step.retry else []
    tail = f"  ({', '.join(extras)})" if extras else ""
    return f"{step.verb} {step.summary}".rstrip() + label + name + tail


def _title(path: Path) -> str:
    """``then``, ``else``, or ``case 1: then``."""
    return str(path[0]) if len(path) == 1 else f"case {int(path[1]) + 1}, {path[2]}"


def describe_trace(trace: Trace) -> str:
    """One line a step: how long, what came of it, which value."""
    return "\n".join(_entry(entry) for entry in trace.entries)


def _entry(entry: Entry) -> str:
    indent = "  " * entry.depth
    value = "" if entry.value is None else "  " + one_line(dumps(entry.value), VALUE_WIDTH)
    name = entry.verb if entry.label == entry.verb else f"{entry.verb} {entry.label}"
    return f"{entry.seconds * 1000:9.2f} ms  {entry.outcome:<7} {indent}{name}{value}"
