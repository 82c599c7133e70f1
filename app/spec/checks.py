"""Static checks: what a flow gets wrong that no single step shows.

One walk over the steps carries what is *known* at each point: the step results and variables that
are defined on every path to it, and those defined on some. Each read is held against that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from app.expression import Compiled, Problem, Read
from app.spec.diagnostics import Severity, did_you_mean
from app.spec.fields import problem
from app.spec.model import Flow
from app.step import Path, Step
from app.steps import Broken

Report = tuple[Path, Severity, Problem]
Name = tuple[str, str]
"""A name that expressions can read: ``("steps", id)`` or ``("vars", name)``."""

FIXED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "flow": ("key", "version", "instanceId"),
    "request": ("method", "headers", "query", "body", "raw"),
    "error": ("kind", "message", "step", "status", "body"),
}
_SECRET_WORDS = ("password", "passwd", "secret", "token", "apikey", "api_key", "authorization")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Names of this process that flows may read; ``None`` when they are not known here."""

    env: frozenset[str] | None = None
    secrets: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Names at one point of a flow. ``ended`` means that no run gets here."""

    always: frozenset[Name] = frozenset()
    sometimes: frozenset[Name] = frozenset()
    ended: bool = False
    in_handler: bool = False

    def plus(self, names: Iterable[Name]) -> Known:
        """The same point, with these names defined."""
        added = frozenset(names)
        return replace(self, always=self.always | added, sometimes=self.sometimes | added)

    def doubting(self, names: Iterable[Name]) -> Known:
        """The same point, with these names perhaps defined."""
        return replace(self, sometimes=self.sometimes | frozenset(names))


def merge(paths: Sequence[Known]) -> Known:
    """Where several paths meet again; paths that ended do not arrive."""
    arriving = [known for known in paths if not known.ended]
    if not arriving:
        return replace(paths[0], ended=True)
    return replace(
        arriving[0],
        always=frozenset.intersection(*(known.always for known in arriving)),
        sometimes=frozenset.union(*(known.sometimes for known in paths)),
    )


def check(flow: Flow, surroundings: Surroundings) -> list[Report]:
    """Everything the checks find in a flow, in no particular order."""
    return list(_Checker(flow, surroundings).run())


class _Checker:
    def __init__(self, flow: Flow, surroundings: Surroundings) -> None:
        self.flow = flow
        self.surroundings = surroundings
        self.reports: list[Report] = []
        self.inputs_read: set[str] = set()
        every = list(_every_step(flow.steps))
        self.has_broken = any(isinstance(step, Broken) for step in every)
        self.eventually = {name for step in every for name in _definitions(step)}
        self.result_fields = {step.id: step.result_fields for step in every if step.id}

    def run(self) -> Iterator[Report]:
        self.block(self.flow.steps, ("steps",), Known())
        yield from self.reports
        yield from self.unused_inputs()
        yield from _secrets_in(self.flow)

    def error(self, path: Path, found: Problem, severity: Severity = Severity.ERROR) -> None:
        self.reports.append((path, severity, found))

    # The walk

    def block(self, steps: Sequence[Step], path: Path, known: Known) -> Known:
        """What is known after these steps."""
        seen: set[str] = set()
        for index, step in enumerate(steps):
            here = (*path, index)
            if known.ended:
                hint = "delete it, or move it before the step that ends the flow"
                self.error(here, problem("unreachable", "no run gets to this step", hint))
                known = replace(known, ended=False)
            self.unique(step, here, known, seen)
            known = self.step(step, here, known)
        return known

    def unique(self, step: Step, path: Path, known: Known, seen: set[str]) -> None:
        if step.id is None:
            return
        if step.id in seen or ("steps", step.id) in known.always:
            message = f"the id `{step.id}` is taken by a step before this one"
            self.error((*path, "id"), problem("duplicate-id", message, "choose another id"))
        seen.add(step.id)

    def step(self, step: Step, path: Path, before: Known) -> Known:
        if step.when is not None:
            self.reads(step.when, (*path, "when"), before)
        for where, compiled in step.templates():
            self.reads(compiled, (*path, *where), before)
        for where, found in step.check(self.flow):
            self.error((*path, *where), found)
        self.useless_keys(step, path)
        after = self.arms(step, path, before).plus(_definitions(step))
        if step.ends_flow:
            after = replace(after, ended=True)
        after = self.handler(step, path, before, after)
        return merge([after, before]) if step.when is not None else after

    def useless_keys(self, step: Step, path: Path) -> None:
        if step.retry is not None and not step.retryable and not isinstance(step, Broken):
            message = f"`{step.verb}` cannot be retried: it would fail the same way again"
            self.error((*path, "retry"), problem("useless-key", message, "retry the `http` step"))

    def arms(self, step: Step, path: Path, before: Known) -> Known:
        arms = step.arms()
        if not arms:
            return before
        ends = [self.block(arm.steps, (*path, *arm.path), before) for arm in arms]
        return merge(ends if step.is_exhaustive else [*ends, before])

    def handler(self, step: Step, path: Path, before: Known, after: Known) -> Known:
        if step.on_error is None:
            return after
        inside = chain.from_iterable(map(_definitions, _every_step([replace(step, on_error=None)])))
        failed = replace(before.doubting(inside), in_handler=True)
        handled = self.block(step.on_error, (*path, "on_error"), failed)
        return merge([after, replace(handled, in_handler=before.in_handler)])

    # Reads

    def reads(self, compiled: Compiled, path: Path, known: Known) -> None:
        for read in compiled.reads:
            found = self.read(read, known)
            if found:
                severity = Severity.WARNING if found[1] else Severity.ERROR
                code, message, hint = found[0]
                where = Problem(code, message, read.offset, read.length, hint, read.where)
                self.error(path, where, severity)

    def read(self, read: Read, known: Known) -> tuple[tuple[str, str, str | None], bool] | None:
        """The mistake in one read, and whether it is only a warning."""
        root, name = read.path[0], read.path[1] if len(read.path) > 1 else None
        if root == "inputs":
            return self.input_read(name)
        if root in ("steps", "vars"):
            return self.name_read(read, known)
        if root in ("env", "secrets"):
            return self.outside_read(root, name)
        if root == "error" and not known.in_handler:
            return ("unknown-name", "`error` can only be read inside `on_error`", None), False
        if root in ("item", "index"):
            return ("unknown-name", f"`{root}` can only be read inside a loop", None), False
        return _field_read(root, name)

    def input_read(self, name: str | None) -> tuple[tuple[str, str, str | None], bool] | None:
        if name is None:
            self.inputs_read.update(self.flow.inputs)
        elif name not in self.flow.inputs:
            near = did_you_mean(name, self.flow.inputs)
            hint = f"write `inputs.{near}`" if near else f"declare it: `inputs: {{{name}: string}}`"
            return ("unknown-input", f"`{name}` is not an input of this flow", hint), False
        else:
            self.inputs_read.add(name)
        return None

    def name_read(
        self, read: Read, known: Known
    ) -> tuple[tuple[str, str, str | None], bool] | None:
        if len(read.path) < 2:
            return None
        name = (read.path[0], read.path[1])
        if name in known.always or (name in known.sometimes and read.safe):
            return self.result_read(read)
        dotted, whole = ".".join(name), ".".join(read.path)
        if name in known.sometimes:
            message = f"`{dotted}` is defined only on some paths to this step"
            return ("maybe-undefined", message, f"write `default({whole}, null)`"), False
        if name in self.eventually:
            message = f"`{dotted}` is used before it is defined"
            return ("used-before-defined", message, "move the step that defines it up"), False
        if self.has_broken and name[0] == "vars":
            return None
        return self.unknown_name(name), False

    def result_read(self, read: Read) -> tuple[tuple[str, str, str | None], bool] | None:
        fields = self.result_fields.get(read.path[1], ())
        if read.path[0] == "vars" or len(read.path) < 3 or not fields or read.path[2] in fields:
            return None
        near = did_you_mean(read.path[2], fields)
        hint = (
            f"write `{near}`"
            if near
            else f"it has {', '.join(fields)}; perhaps `body.{read.path[2]}`"
        )
        message = f"the result of `{read.path[1]}` has no field `{read.path[2]}`"
        return ("unknown-field", message, hint), False

    def unknown_name(self, name: Name) -> tuple[str, str, str | None]:
        kind, word = name
        if kind == "steps" and word in self.result_fields:
            return ("no-result", f"the step `{word}` has no result to read", None)
        near = did_you_mean(word, [other for root, other in self.eventually if root == kind])
        hint = f"write `{kind}.{near}`" if near else None
        if kind == "steps":
            return ("unknown-step", f"no step has the id `{word}`", hint)
        return ("unknown-name", f"no `set` gives `vars.{word}` a value", hint)

    def outside_read(
        self, root: str, name: str | None
    ) -> tuple[tuple[str, str, str | None], bool] | None:
        allowed: frozenset[str] | None = getattr(self.surroundings, root)
        if name is None or allowed is None or name in allowed:
            return None
        if root == "env":
            message = f"flows may not read the environment variable `{name}` here"
            hint = f"add it to the allow-list: SITESWAP_ENV={','.join(sorted(allowed | {name}))}"
        else:
            message = f"there is no secret `{name}` here"
            hint = f"set the environment variable SITESWAP_SECRET_{name}"
        return ("not-available", message, hint), True

    def unused_inputs(self) -> Iterator[Report]:
        if self.has_broken:
            return
        for name in self.flow.inputs:
            if name not in self.inputs_read:
                found = problem("unused-input", f"the input `{name}` is never read")
                yield ("inputs", name), Severity.WARNING, found


def _every_step(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for arm in step.arms():
            yield from _every_step(arm.steps)
        yield from _every_step(step.on_error or ())


def _definitions(step: Step) -> Iterator[Name]:
    if isinstance(step, Broken):
        yield from (("steps", step_id) for step_id in step.ids)
    if step.id is not None and step.result_fields:
        yield "steps", step.id
    yield from (("vars", name) for name in step.defines())


def _field_read(root: str, name: str | None) -> tuple[tuple[str, str, str | None], bool] | None:
    fields = FIXED_FIELDS.get(root)
    if fields is None or name is None or name in fields:
        return None
    near = did_you_mean(name, fields)
    hint = f"write `{root}.{near}`" if near else f"it has {', '.join(fields)}"
    return ("unknown-field", f"`{root}` has no field `{name}`", hint), False


def _secrets_in(flow: Flow) -> Iterator[Report]:
    """Secrets written into the file, where everybody who reads the repository can read them."""
    for name, spec in flow.inputs.items():
        if spec.secret and spec.default not in (None, ""):
            found = problem(
                "secret-in-file",
                f"the secret input `{name}` has its default written in the file",
                "drop the default, or read `secrets.<NAME>` where it is used",
            )
            yield ("inputs", name, "default"), Severity.WARNING, found


def secret_literals(data: Any) -> Iterator[Path]:
    """Paths of texts in raw steps that are named like a secret and hold no expression."""
    steps = data.get("steps") if isinstance(data, dict) else None
    pending: list[tuple[Path, Any]] = [(("steps",), steps)]
    while pending:
        path, node = pending.pop()
        if isinstance(node, list):
            pending.extend(((*path, index), item) for index, item in enumerate(node))
        elif isinstance(node, dict):
            pending.extend(((*path, key), item) for key, item in node.items())
        elif isinstance(node, str) and node and "${" not in node and _names_a_secret(path):
            yield path


def _names_a_secret(path: Path) -> bool:
    in_payload = any(key in ("headers", "json", "form", "query", "set") for key in path[:-1])
    word = str(path[-1]).lower().replace("-", "_")
    return in_payload and any(secret in word for secret in _SECRET_WORDS)
