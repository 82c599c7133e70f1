"""The names that expressions read: which are known where, and what is wrong with any other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from app.expression import Compiled, Issue, Read
from app.language.blocks import BrokenStep
from app.language.environment import Environment
from app.language.flow import Flow
from app.language.inputs import article
from app.language.step import Step, Use, every_step
from app.words import did_you_mean
from app.yaml.diagnostics import Severity

Name = tuple[str, str]
"""A name that a flow defines: ``("steps", id)`` or ``("vars", name)``."""

FIXED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "flow": ("key", "version", "instanceId"),
    "request": ("method", "headers", "query", "body", "raw"),
    "error": ("kind", "message", "step", "status", "body", "code"),
}
_LOOPS = {
    "item": ("`for_each`", "write this step below its `steps`"),
    "index": ("a loop", "write this step below the `steps` of `for_each` or `repeat`"),
}
"""The roots of loops: where each of them can be read, and what to do with a step that reads it."""
_LENGTHS = ("length", "size", "count", "len")


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Names at one point of a flow. ``ended`` means that no run gets here.

    ``loop_names`` are the roots that can be read inside the loops that hold it.
    """

    always: frozenset[Name] = frozenset()
    sometimes: frozenset[Name] = frozenset()
    ended: bool = False
    in_handler: bool = False
    loop_names: frozenset[str] = frozenset()

    def plus(self, names: Iterable[Name]) -> KnownNames:
        """The same point, with these names defined."""
        added = frozenset(names)
        return replace(self, always=self.always | added, sometimes=self.sometimes | added)

    def doubting(self, names: Iterable[Name]) -> KnownNames:
        """The same point, with these names perhaps defined."""
        return replace(self, sometimes=self.sometimes | frozenset(names))

    def after_block(self, exports: Collection[str], before: KnownNames) -> KnownNames:
        """The point after a block: only names of the roots that it exports outlive it."""

        def kept(names: frozenset[Name], before: frozenset[Name]) -> frozenset[Name]:
            return before | {name for name in names if name[0] in exports}

        return replace(
            self,
            always=kept(self.always, before.always),
            sometimes=kept(self.sometimes, before.sometimes),
            loop_names=before.loop_names,
        )


def together(before: KnownNames, ends: Sequence[KnownNames], *, is_each: bool) -> KnownNames:
    """After blocks that ran at once: all of them to their end, or perhaps not (``is_each``)."""
    after = before.doubting(frozenset.union(*(end.sometimes for end in ends)))
    if is_each:
        after = after.plus(frozenset.union(*(end.always for end in ends)))
        after = replace(after, ended=any(end.ended for end in ends))
    return after


def merge(paths: Sequence[KnownNames]) -> KnownNames:
    """Where several paths meet again; paths that ended do not arrive."""
    arriving = [known for known in paths if not known.ended]
    if not arriving:
        return replace(paths[0], ended=True)
    return replace(
        arriving[0],
        always=frozenset.intersection(*(known.always for known in arriving)),
        sometimes=frozenset.union(*(known.sometimes for known in paths)),
    )


def uses_environment(flow: Flow) -> bool:
    """Whether a flow names anything that :class:`Environment` may have or not."""
    return any(_uses_environment(step) for step in every_step(flow.steps)) or (
        flow.callback is not None and _reads_environment(flow.callback.parts)
    )


def _uses_environment(step: Step) -> bool:
    compiled = [template for _, template in step.templates()]
    compiled += [template for block in step.blocks() for _, template in block.last]
    compiled += [step.when] if step.when else []
    return any(step.uses()) or any(map(_reads_environment, compiled))


def _reads_environment(compiled: Compiled) -> bool:
    return any(read.path[0] in ("env", "secrets") for read in compiled.reads)


def definitions(step: Step) -> Iterator[Name]:
    """The names that a step defines when it ran well, its blocks not counted."""
    if isinstance(step, BrokenStep):
        yield from (("steps", step_id) for step_id in step.ids)
    if step.id is not None and step.has_result:
        yield "steps", step.id
    yield from (("vars", name) for name in step.defines())


def leftovers(step: Step) -> Iterator[Name]:
    """The names that a step may have defined when it failed, its own ``on_error`` not counted."""
    yield from definitions(step)
    for block in step.blocks():
        for inner in block.steps:
            within = [*leftovers(inner), *_handled(inner)]
            yield from (name for name in within if name[0] in block.exports)


def _handled(step: Step) -> Iterator[Name]:
    for inner in step.on_error or ():
        yield from leftovers(inner)
        yield from _handled(inner)


class NameIssue(NamedTuple):
    """What is wrong with one name, wherever it is written."""

    code: str
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR

    def at(self, place: Read | Use) -> Issue:
        """The issue at the place of the name, inside its text or template."""
        where = place.where if isinstance(place, Read) else ()
        return Issue(self.code, self.message, place.offset, place.length, self.hint, where)


class Names:
    """All names of one flow. ``inputs_read`` grows with each read that is looked at."""

    def __init__(self, flow: Flow, environment: Environment) -> None:
        self.inputs_read: set[str] = set()
        self._flow = flow
        self._environment = environment
        steps = list(every_step(flow.steps))
        self.has_broken = any(isinstance(step, BrokenStep) for step in steps)
        self._eventually = {name for step in steps for name in definitions(step)}
        self._results: dict[str, tuple[str, ...]] = {}
        self._without_result = {step.id: step.without_result for step in steps}
        self._gone: dict[Name, str | None] = {}
        for step in steps:
            if step.id:
                self._add_fields(step.id, step.fields(environment))

    def _add_fields(self, step_id: str, fields: tuple[str, ...]) -> None:
        """Steps that share an id share its fields; a step of unknown fields may have any."""
        known = self._results.get(step_id, fields)
        self._results[step_id] = tuple(dict.fromkeys(known + fields)) if known and fields else ()

    def gone(self, names: Iterable[Name], hint: str | None) -> None:
        """These were defined in a block that they do not outlive; ``hint`` says what to write."""
        self._gone.update(dict.fromkeys(names, hint))

    def issue(self, read: Read, known: KnownNames) -> NameIssue | None:
        """What is wrong with a read at a point where these names are known."""
        root, *rest = read.path
        if root == "inputs":
            return self._input(read)
        if root in ("steps", "vars"):
            return self._defined(read, known) if rest else None
        if root in ("env", "secrets"):
            return missing_name(self._environment, read) if rest else None
        if root == "error" and not known.in_handler:
            hint = "write this step below the `on_error` of the one that may fail"
            return NameIssue("unknown-name", "`error` can only be read inside `on_error`", hint)
        if root in _LOOPS and root not in known.loop_names:
            loop, hint = _LOOPS[root]
            return NameIssue("unknown-name", f"`{root}` can only be read inside {loop}", hint)
        return _fixed_field(read) if rest else None

    def _input(self, read: Read) -> NameIssue | None:
        if len(read.path) == 1:
            self.inputs_read.update(self._flow.inputs)
            return None
        name = read.path[1]
        self.inputs_read.add(name)
        if name in self._flow.inputs:
            return self._input_field(read)
        near = did_you_mean(name, self._flow.inputs)
        spelled = near and read.spelled("inputs", near)
        hint = f"write `{spelled}`" if near else f"declare it: `inputs: {{{name}: string}}`"
        return NameIssue("unknown-input", f"`{name}` is not an input of this flow", hint)

    def _input_field(self, read: Read) -> NameIssue | None:
        name, kind = read.path[1], self._flow.inputs[read.path[1]].type
        if kind == "object" or len(read.path) == 2 or read.safe:
            return None
        field = read.path[2]
        example = f"len(inputs.{name})" if field in _LENGTHS else f"inputs.{name}[0].{field}"
        hint = f"write `{example}`" if kind == "list" or field in _LENGTHS else None
        message = f"the input `{name}` is {article(kind)}, which has no fields"
        return NameIssue("unknown-field", message, hint)

    def _defined(self, read: Read, known: KnownNames) -> NameIssue | None:
        name = (read.path[0], read.path[1])
        if name in known.always or (name in known.sometimes and read.safe):
            return self._result_field(read)
        dotted = read.spelled(*name)
        if name in known.sometimes:
            message = f"`{dotted}` is defined only on some paths to this step"
            return NameIssue("maybe-undefined", message, read.fallback)
        if name in self._gone:
            message = f"`{dotted}` is known only inside the loop or branch that defines it"
            return NameIssue("out-of-scope", message, self._gone[name])
        if name in self._eventually:
            message = f"`{dotted}` is used before it is defined"
            return NameIssue("used-before-defined", message, "move the step that defines it up")
        if self.has_broken and name[0] == "vars":
            return None
        return self._unknown(read)

    def _result_field(self, read: Read) -> NameIssue | None:
        fields = self._results.get(read.path[1], ())
        if read.path[0] == "vars" or len(read.path) < 3 or not fields or read.path[2] in fields:
            return None
        step_id, field = read.path[1:3]
        near = did_you_mean(field, fields)
        hint = f"it has {', '.join(fields)}"
        if "body" in fields:
            hint += f"; perhaps `{read.spelled('steps', step_id, 'body', field)}`"
        message = f"the result of `{step_id}` has no field `{field}`"
        return NameIssue("unknown-field", message, f"write `{near}`" if near else hint)

    def _unknown(self, read: Read) -> NameIssue:
        kind, word = read.path[:2]
        if kind == "steps" and word in self._results:
            message = f"the step `{word}` has no result to read"
            return NameIssue("no-result", message, self._without_result.get(word))
        near = did_you_mean(word, [other for root, other in self._eventually if root == kind])
        hint = f"write `{read.spelled(kind, near)}`" if near else None
        if kind == "steps":
            return NameIssue("unknown-step", f"no step has the id `{word}`", hint)
        return NameIssue("unknown-name", f"no `set` gives `vars.{word}` a value", hint)


def missing_name(environment: Environment, read: Read) -> NameIssue | None:
    """What is wrong with a read of ``env`` or ``secrets`` in this environment."""
    root, name = read.path[:2]
    allowed: frozenset[str] | None = getattr(environment, root)
    if allowed is None or name in allowed:
        return None
    if root == "env":
        message = f"flows may not read the environment variable `{name}` here"
        hint = f"add it to the allow-list: SITESWAP_ENV={','.join(sorted(allowed | {name}))}"
        return NameIssue("not-available", message, hint, Severity.WARNING)
    near = did_you_mean(name, allowed)
    hint = f"set SITESWAP_SECRET_{name}, or put the file {name} into SITESWAP_SECRETS_DIR"
    return NameIssue(
        "unknown-secret",
        f"there is no secret `{name}` here",
        f"write `secrets.{near}`; or {hint}" if near else hint,
        Severity.WARNING if read.safe else Severity.ERROR,
    )


def unknown_use(environment: Environment, use: Use) -> NameIssue | None:
    """What is wrong with a name of ``services.yaml`` in this environment."""
    known: frozenset[str] | None = getattr(environment, use.kind)
    if known is None or use.name in known:
        return None
    near, kind = did_you_mean(use.name, known), use.kind.removesuffix("s")
    declare = f"declare it in services.yaml: `{use.kind}: {{{use.name}: {{url: …}}}}`"
    hint = f"write `{near}`" if near else declare
    return NameIssue(f"unknown-{kind}", f"there is no {kind} `{use.name}`", hint)


def _fixed_field(read: Read) -> NameIssue | None:
    root, name = read.path[:2]
    fields = FIXED_FIELDS.get(root)
    if fields is None or name in fields:
        return None
    near = did_you_mean(name, fields)
    hint = f"write `{read.spelled(root, near)}`" if near else f"it has {', '.join(fields)}"
    return NameIssue("unknown-field", f"`{root}` has no field `{name}`", hint)
