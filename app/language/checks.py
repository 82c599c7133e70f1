"""Static checks: what a flow gets wrong that no single step shows.

One walk over the steps carries what is *known* at each point: the step results and variables that
are defined on every path to it, and those defined on some. Each read is compared with that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from app.expression import Compiled, Issue
from app.language.blocks import BrokenStep
from app.language.environment import Environment
from app.language.fields import issue
from app.language.flow import DEFAULT_CONCURRENCY, Flow
from app.language.names import (
    KnownNames,
    Name,
    NameIssue,
    Names,
    definitions,
    leftovers,
    merge,
    together,
    unknown_use,
)
from app.language.step import Block, Path, Step, assigned_in
from app.yaml.diagnostics import Severity

Report = tuple[Path, Severity, Issue]
"""A path from the root of the document, and what is wrong there."""

_SECRET_WORDS = ("password", "passwd", "secret", "token", "apikey", "api_key", "authorization")


def check(flow: Flow, environment: Environment) -> list[Report]:
    """Everything the checks find in a flow, in no particular order."""
    return list(_Checker(flow, environment).run())


class _Checker:
    def __init__(self, flow: Flow, environment: Environment) -> None:
        self.flow = flow
        self.environment = environment
        self.names = Names(flow, environment)
        self.reports: list[Report] = []

    def run(self) -> Iterator[Report]:
        self.async_keys()
        self.block(self.flow.steps, ("steps",), KnownNames())
        yield from self.reports
        yield from self.unused_inputs()
        yield from _secret_defaults(self.flow)

    def async_keys(self) -> None:
        """What is only for async flows, and what a callback can read."""
        flow = self.flow
        if flow.callback is not None:
            self.callback(flow.callback.parts)
        if flow.mode == "async":
            return
        hint = "write `mode: async`, or delete it"
        if flow.callback is not None:
            message = "a sync flow answers its caller; only async runs call back"
            self.error(("callback",), issue("useless-key", message, hint))
        if flow.concurrency != DEFAULT_CONCURRENCY:
            message = "`concurrency` bounds async runs, and this flow is sync"
            self.error(("concurrency",), issue("useless-key", message, hint))

    def callback(self, address: Compiled) -> None:
        """The address is made when a run is accepted: no step has run then."""
        path = ("callback", "url")
        late = [read for read in address.reads if read.path[0] in ("steps", "vars")]
        early = [read for read in address.reads if read not in late]
        self.reads(replace(address, reads=tuple(early)), path, KnownNames())
        for read in late:
            message = "the address is made when a run is accepted, before its first step"
            hint = "read it from `inputs`, `request`, `env` or `secrets`"
            self.error(path, NameIssue("used-before-defined", message, hint).at(read))

    def error(self, path: Path, found: Issue, severity: Severity = Severity.ERROR) -> None:
        self.reports.append((path, severity, found))

    def block(self, steps: Sequence[Step], path: Path, known: KnownNames) -> KnownNames:
        """What is known after these steps."""
        seen: set[str] = set()
        ended = False
        for index, step in enumerate(steps):
            here = (*path, index)
            if known.ended:
                hint = "delete it, or move it before the step that ends the flow"
                self.error(here, issue("unreachable", "no run gets to this step", hint))
                ended, known = True, replace(known, ended=False)
            self.unique(step, here, known, seen)
            known = self.step(step, here, known)
        return replace(known, ended=ended or known.ended)

    def unique(self, step: Step, path: Path, known: KnownNames, seen: set[str]) -> None:
        if step.id is None:
            return
        if step.id in seen or ("steps", step.id) in known.always:
            message = f"the id `{step.id}` is taken by a step before this one"
            self.error((*path, "id"), issue("duplicate-id", message, "choose another id"))
        seen.add(step.id)

    def step(self, step: Step, path: Path, before: KnownNames) -> KnownNames:
        if step.when is not None:
            self.reads(step.when, (*path, "when"), before)
        own = frozenset(definitions(step))
        for where, compiled in step.templates():
            self.reads(compiled, (*path, *where), before, own)
        for where, found in step.check(self.flow, self.environment):
            self.error((*path, *where), found)
        self.uses(step, path)
        self.retries(step, path)
        self.useless_keys(step, path)
        after = self.inner_blocks(step, path, before).plus(definitions(step))
        if step.ends_flow:
            after = replace(after, ended=True)
        after = self.handler(step, path, before, after)
        return merge([after, before]) if step.when is not None else after

    def uses(self, step: Step, path: Path) -> None:
        for use in step.uses():
            if unknown := unknown_use(self.environment, use):
                self.error((*path, *use.path), unknown.at(use), unknown.severity)

    def retries(self, step: Step, path: Path) -> None:
        """A repetition that may carry out an effect twice, and no word that this does no harm."""
        readable = step.rest if isinstance(step, BrokenStep) else step
        if readable is None or readable.retry is None or readable.may_repeat(self.flow):
            return
        message, policy = readable.unsafe_repetition, readable.retry
        if message and policy.times and not policy.idempotent:
            hint = (
                f"if that does no harm, write `retry: {{times: {policy.times}, idempotent: true}}`"
            )
            self.error((*path, "retry"), issue("unsafe-retry", message, hint))

    def useless_keys(self, step: Step, path: Path) -> None:
        if step.has_effect or isinstance(step, BrokenStep):
            return
        has_steps = bool(step.blocks() or step.calls)
        if step.retry is not None:
            message = f"`{step.verb}` cannot be retried: it would fail the same way again"
            if has_steps:
                message = f"`{step.verb}` is not retried as a whole"
            hint = f"write it at a step that reaches outside: {_with_effect()}"
            self.error((*path, "retry"), issue("useless-key", message, hint))
        if step.retryable is not None:
            message = f"`{step.verb}` does nothing outside: it is computed again in any case"
            if has_steps:
                message = f"each step in `{step.verb}` says for itself whether it may run twice"
            hint = f"write it at the flow, or at a step that reaches outside: {_with_effect()}"
            self.error((*path, "retryable"), issue("useless-key", message, hint))

    def inner_blocks(self, step: Step, path: Path, before: KnownNames) -> KnownNames:
        blocks = step.blocks()
        if not blocks:
            return before
        inside = [self.inside(block, path, before) for block in blocks]
        ends = [self.after(block, end, before) for block, end in zip(blocks, inside, strict=True)]
        if step.runs_every_block:
            return together(before, ends, is_each=step.is_exhaustive)
        return merge(ends if step.is_exhaustive else [*ends, before])

    def inside(self, block: Block, path: Path, before: KnownNames) -> KnownNames:
        begin = replace(before, loop_names=before.loop_names | block.loop_names)
        end = self.block(block.steps, (*path, *block.path), begin)
        for where, compiled in block.last:
            self.reads(compiled, (*path, *where), end)
        if "vars" not in block.exports:
            self.lost(block, path, before)
        return end

    def after(self, block: Block, end: KnownNames, before: KnownNames) -> KnownNames:
        """The names visible after a block."""
        after = end.after_block(block.exports, before)
        self.names.gone(end.sometimes - after.sometimes, block.hint)
        return after

    def lost(self, block: Block, path: Path, before: KnownNames) -> None:
        """A variable that is set in rounds that run at once keeps its value only inside them."""
        for name, where in assigned_in(block.steps, block.path):
            if ("vars", name) in before.sometimes:
                message = f"the rounds run at once, so each has a `vars.{name}` of its own"
                hint = "gather values with `collect`, or choose another name"
                self.error((*path, *where), issue("lost-value", message, hint))

    def handler(self, step: Step, path: Path, before: KnownNames, after: KnownNames) -> KnownNames:
        if step.on_error is None:
            return after
        failed = replace(before.doubting(leftovers(step)), in_handler=True)
        handled = self.block(step.on_error, (*path, "on_error"), failed)
        return merge([after, replace(handled, in_handler=before.in_handler)])

    def reads(
        self, compiled: Compiled, path: Path, known: KnownNames, own: frozenset[Name] = frozenset()
    ) -> None:
        """Check every read; ``own`` is what the step defines once it has run."""
        for read in compiled.reads:
            if wrong := self.names.issue(read, known):
                if wrong.code == "used-before-defined" and read.path[:2] in own:
                    hint = "a step cannot read what it defines: define it in a step before"
                    wrong = wrong._replace(hint=hint)
                self.error(path, wrong.at(read), wrong.severity)

    def unused_inputs(self) -> Iterator[Report]:
        if self.names.has_broken:
            return
        for name in self.flow.inputs:
            if name not in self.names.inputs_read:
                hint = f"delete it, or read it as `inputs.{name}`"
                found = issue("unused-input", f"the input `{name}` is never read", hint)
                yield ("inputs", name), Severity.WARNING, found


def _secret_defaults(flow: Flow) -> Iterator[Report]:
    """Secrets written into the file, for all who read the repository."""
    for name, spec in flow.inputs.items():
        if spec.secret and spec.default not in (None, ""):
            found = issue(
                "secret-in-file",
                f"the secret input `{name}` has its default written in the file",
                "drop the default, or read `secrets.<NAME>` where it is used",
            )
            yield ("inputs", name, "default"), Severity.WARNING, found


def secret_literals(data: Any, root: str = "steps") -> Iterator[Path]:
    """Paths of texts below a key that are named like a secret and hold no expression."""
    below = data.get(root) if isinstance(data, dict) else None
    pending: list[tuple[Path, Any]] = [((root,), below)]
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


def _with_effect() -> str:
    """The verbs that change something elsewhere; asked late, when all verbs are registered."""
    return ", ".join(f"`{verb}`" for verb, step in Step.verbs.items() if step.has_effect)
