"""Flows that call each other: in which order they are checked and compiled, and with what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from app.catalog.loader import Draft
from app.engine.compiler import compile_flow
from app.language.environment import CallableFlows, Environment
from app.runtime.program import Program
from app.yaml.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Linked:
    """What became of a draft. ``program`` is ``None`` exactly when a finding is an error."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]


def link(
    drafts: Collection[Draft], served: Mapping[str, Program], environment: Environment
) -> list[Linked]:
    """Check and compile these drafts, each behind those that it calls.

    ``served`` are the programs there are, by ``key/version``: for what is no draft, and in place of
    a draft that has errors.
    """
    linker = _Linker(drafts, served, environment)
    named = {draft.name: draft for draft in drafts if draft.name}
    linked = {name: linker.link(named[name]) for name in _in_order(named)}
    return [linked[draft.name] if draft.name else linker.link(draft) for draft in drafts]


def _in_order(drafts: Mapping[str, Draft]) -> Iterator[str]:
    """The names, called ones first where they do not call each other in a circle."""
    seen: set[str] = set()
    for first in sorted(drafts):
        pending = [(first, False)]
        while pending:
            name, is_last = pending.pop()
            if is_last:
                yield name
            elif name not in seen and name in drafts:
                seen.add(name)
                pending.append((name, True))
                pending += [(called, False) for called in sorted(drafts[name].calls)]


class _Linker:
    def __init__(
        self, drafts: Iterable[Draft], served: Mapping[str, Program], environment: Environment
    ) -> None:
        self._programs = dict(served)
        self._flows = {name: program.flow for name, program in served.items()}
        self._broken: set[str] = set()
        calls = {name: program.calls for name, program in served.items()}
        for draft in drafts:
            if draft.name and draft.flow:
                self._flows[draft.name] = draft.flow
                calls[draft.name] = draft.calls
        self._around = replace(environment, flows=CallableFlows(self._flows, calls, self._broken))

    def link(self, draft: Draft) -> Linked:
        self._broken |= {name for name in draft.calls if self._is_behind(name)}
        loaded = draft.check(self._around)
        if loaded.flow is None:
            self._keep(draft.name)
            return Linked(None, loaded.diagnostics)
        program = compile_flow(loaded.flow, draft.text, self._programs)
        if draft.name:
            self._programs[draft.name] = program
        return Linked(program, loaded.diagnostics)

    def _is_behind(self, name: str) -> bool:
        """Whether a program was made of other texts than those of now.

        It could not follow a change of what it calls. Who calls it stays behind as well: of each
        flow a program has one text, so that a run can be replayed from them.
        """
        program = self._programs.get(name)
        called = program.called if program else {}
        now = self._programs
        return any(each not in now or now[each].text != text for each, text in called.items())

    def _keep(self, name: str | None) -> None:
        """What callers find in place of a draft with errors."""
        if name in self._programs:
            self._flows[name] = self._programs[name].flow
        elif name:
            self._flows.pop(name, None)
            self._broken.add(name)
