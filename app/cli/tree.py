"""Flows and traces as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.language.flow import Flow, Input
from app.language.step import Step
from app.runtime.masking import MASK, one_line
from app.runtime.trace import Trace, TraceEntry
from app.strict_json import dumps
from app.yaml.diagnostics import visible

MAX_ENTRIES = 100
"""Steps of a trace that are shown at its beginning, and as many at its end."""
VALUE_WIDTH = 200
"""Characters of a value, or of what a step does, that one line shows."""


def describe_flow(flow: Flow) -> str:
    """Inputs, outputs, and the steps as a tree."""
    state = "" if flow.enabled else ", disabled"
    lines = [f"{flow.key} {flow.version} ({flow.mode}, {flow.timeout:g} s{state})"]
    about = (text for text in (flow.name, flow.description) if text)
    lines += [f"  {line}" for text in about for line in text.splitlines()]
    lines += ["", "inputs", *(_input(*item) for item in flow.inputs.items())]
    lines += ["", "outputs", *(f"  {name}: {kind}" for name, kind in flow.outputs.items())]
    lines += ["", "steps", *_block(flow.steps, "  ")]
    return "\n".join(map(visible, lines))


def _input(name: str, spec: Input) -> str:
    default = MASK if spec.secret and spec.default is not None else dumps(spec.default)
    facts = ["required" if spec.required else f"default {default}"]
    facts += ["secret"] if spec.secret else []
    about = f"  {one_line(spec.description, VALUE_WIDTH)}" if spec.description else ""
    return f"  {name}: {spec.type} ({', '.join(facts)}){about}"


def _block(steps: Sequence[Step], indent: str) -> Iterator[str]:
    for step in steps:
        yield f"{indent}- {_headline(step)}"
        for block in step.blocks():
            yield f"{indent}    {block.title}:"
            yield from _block(block.steps, indent + "      ")
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
    does = one_line(f"{step.verb} {step.summary}".rstrip(), VALUE_WIDTH)
    return does + label + name + tail


def describe_trace(trace: Trace) -> str:
    """One line a step: how long, what came of it, which value; of very many the first and last."""
    entries = trace.entries
    hidden = len(entries) - 2 * MAX_ENTRIES
    if hidden <= 0:
        return "\n".join(map(_entry, entries))
    middle = f"{'…':>12}  {hidden} more steps"
    shown = [*map(_entry, entries[:MAX_ENTRIES]), middle, *map(_entry, entries[-MAX_ENTRIES:])]
    return "\n".join(shown)


def _entry(entry: TraceEntry) -> str:
    indent = "  " * entry.depth
    value = "" if entry.value is None else "  " + one_line(dumps(entry.value), VALUE_WIDTH)
    name = entry.verb if entry.label == entry.verb else f"{entry.verb} {entry.label}"
    name += f" ({entry.part})" if entry.part else ""
    return f"{entry.seconds * 1000:9.2f} ms  {entry.outcome:<7} {indent}{name}{value}"
