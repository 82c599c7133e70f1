"""From the texts of flow files to programs, or to everything that is wrong with them.

``yaml`` (text → raw data with places) → ``schemas`` (raw data → a draft) → ``checks`` (the flow as
a whole, and what it calls) → ``compiler``. Each stage goes on with what the one before could read,
so one run shows all errors. Flows that call each other are linked: checked and compiled in an order
in which each comes after those that it calls.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

from marshmallow import ValidationError

import app.verbs  # noqa: F401 - fills the table of verbs, by which a flow is read
from app.engine.compiler import compile_flow
from app.expression import Issue, find_braces
from app.language.checks import check, secret_literals
from app.language.diagnose import diagnostic_at, issues_in, once
from app.language.environment import CallableFlows, Environment
from app.language.fields import issue
from app.language.flow import Flow
from app.language.schemas import FlowSchema
from app.language.step import called_in
from app.runtime.program import Program
from app.words import did_you_mean
from app.yaml.diagnostics import Diagnostic, Severity
from app.yaml.document import Document, Path, YamlError, load

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
VERSION = re.compile(r"v(?:0|[1-9]\d{0,8})")

_CONSEQUENCES = {"inputs": "unknown-input", "outputs": "unknown-output"}
"""Key of the flow → the error that every step that uses it has where the key cannot be read."""

_SCHEMA = FlowSchema()

FlowIssue = tuple[Path, Issue]
"""A path from the root of the document, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class LoadedFlow:
    """A file that was read and checked. ``flow`` is ``None`` exactly when it has an error."""

    flow: Flow | None
    diagnostics: tuple[Diagnostic, ...]


def identity(path: PurePath) -> tuple[str, str] | None:
    """Key and version that a path ``…/<flowKey>/<flowVersion>.yaml`` stands for."""
    key, version = path.parent.name, path.stem
    if path.suffix == ".yaml" and KEY.fullmatch(key) and VERSION.fullmatch(version):
        return key, version
    return None


def name_of(path: PurePath) -> str | None:
    """``key/version``, if the path names a flow."""
    named = identity(path)
    return f"{named[0]}/{named[1]}" if named else None


@dataclass(frozen=True, slots=True)
class Draft:
    """A flow that was read but not checked yet.

    ``flow`` is ``None`` where nothing usable was found. Then ``diagnostics`` say why. ``issues``
    are those of the schemas; ``diagnostics`` has them too.
    """

    path: PurePath
    text: str
    flow: Flow | None
    diagnostics: tuple[Diagnostic, ...]
    document: Document | None
    issues: tuple[FlowIssue, ...] = ()

    @property
    def name(self) -> str | None:
        """``key/version``, if the path names a flow."""
        return name_of(self.path)

    @property
    def calls(self) -> frozenset[str]:
        """The flows that it calls."""
        return called_in(self.flow.steps) if self.flow else frozenset()

    def check(self, environment: Environment) -> LoadedFlow:
        """The flow, or everything that is wrong with it."""
        document, flow = self.document, self.flow
        if document is None:
            return LoadedFlow(None, self.diagnostics)
        diagnostics = list(self.diagnostics)
        if flow is not None:
            diagnostics += _checked(document, flow, environment, self.issues)
        diagnostics = once(document, diagnostics)
        if any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics):
            flow = None
        return LoadedFlow(flow, tuple(sorted(set(diagnostics))))


def read_flow(path: PurePath, data: str | bytes) -> Draft:
    """Read a flow file. Never raises, whatever the text is."""
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    named = identity(path)
    diagnostics = [] if named else [_bad_path(path)]
    try:
        document = load(data)
    except YamlError as error:
        found = tuple(sorted([*diagnostics, *error.diagnostics]))
        return Draft(path, text, None, found, None)
    flow, issues = _flow(named or ("flow", "v1"), document)
    diagnostics += [
        diagnostic_at(document, where, Severity.ERROR, found) for where, found in issues
    ]
    return Draft(path, text, flow, tuple(diagnostics), document, tuple(issues))


def load_flow(path: PurePath, data: str | bytes, environment: Environment) -> LoadedFlow:
    """Read and check a flow file. Never raises, whatever the text is."""
    return read_flow(path, data).check(environment)


def _bad_path(path: PurePath) -> Diagnostic:
    key, name = path.parent.name, path.name
    hint = "name it flows/<key>/v1.yaml"
    if name == "services.yaml":
        hint = "it stands in the flows folder itself: flows/services.yaml"
    elif not KEY.fullmatch(key):
        hint = "a key is a letter, then letters, digits, `_` or `-`, at most 64"
    elif path.suffix != ".yaml":
        hint = f"name it {path.stem}.yaml"
    elif not VERSION.fullmatch(path.stem):
        hint = "a version is `v` and a number without leading zeros: v1.yaml, v2.yaml"
    message = f"`{key}/{name}` does not name a flow and its version"
    return Diagnostic(1, 1, Severity.ERROR, "bad-path", message, hint)


def _flow(named: tuple[str, str], document: Document) -> tuple[Flow | None, list[FlowIssue]]:
    """The flow, as far as it can be read, and what is wrong with its parts."""
    issues: list[FlowIssue] = []
    try:
        data = _SCHEMA.load(document.data)
    except ValidationError as error:
        issues += issues_in(error.messages, (), document.places)
        data = error.valid_data if isinstance(error.valid_data, dict) else {}
        if "steps" not in data:
            return None, issues
    flow = Flow(key=named[0], version=named[1], **{**data, "steps": tuple(data["steps"])})
    return flow, issues


def _checked(
    document: Document, flow: Flow, environment: Environment, issues: Iterable[FlowIssue]
) -> Iterator[Diagnostic]:
    """What the checks find, without what follows from an unreadable or misspelt key of the flow."""
    wrong = {path[0] for path, _ in issues if len(path) == 1}
    implied = {
        code
        for key, code in _CONSEQUENCES.items()
        if any(key in (word, did_you_mean(str(word), _SCHEMA.known)) for word in wrong)
    }
    for path, severity, found in check(flow, environment):
        if found.code not in implied:
            yield diagnostic_at(document, path, severity, found)
    yield from _warnings(document)


def _warnings(document: Document) -> Iterator[Diagnostic]:
    """What the raw data alone shows: secrets in the file, braces of other template languages."""
    for path in secret_literals(document.data):
        message = f"`{path[-1]}` looks like a secret written in the file"
        hint = "write `${secrets.NAME}` and set SITESWAP_SECRET_NAME"
        found = issue("secret-in-file", message, hint)
        yield diagnostic_at(document, path, Severity.WARNING, found)
    for found in find_braces(document.data):
        yield diagnostic_at(document, (), Severity.WARNING, found)


@dataclass(frozen=True, slots=True)
class Linked:
    """A checked and compiled draft. ``program`` is ``None`` exactly when it has an error."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]


def link(
    drafts: Collection[Draft], served: Mapping[str, Program], environment: Environment
) -> list[Linked]:
    """Check and compile these drafts, each after those that it calls.

    ``served`` are the programs there are already, by ``key/version``: those of flows that are not
    among the drafts, and those that callers get in place of a draft with errors.
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
        callable_flows = CallableFlows(self._flows, calls, self._broken)
        self._environment = replace(environment, flows=callable_flows)

    def link(self, draft: Draft) -> Linked:
        self._broken |= {name for name in draft.calls if self._is_outdated(name)}
        loaded = draft.check(self._environment)
        if loaded.flow is None:
            self._use_served(draft.name)
            return Linked(None, loaded.diagnostics)
        program = compile_flow(loaded.flow, draft.text, self._programs)
        if draft.name:
            self._programs[draft.name] = program
        return Linked(program, loaded.diagnostics)

    def _is_outdated(self, name: str) -> bool:
        """Whether a program was compiled against older versions of the flows it calls.

        That is so where it has an error by now. Its callers are then outdated as well: a program
        has one text of each flow, so that a run can be replayed from them.
        """
        program = self._programs.get(name)
        called = program.called if program else {}
        now = self._programs
        return any(each not in now or now[each].text != text for each, text in called.items())

    def _use_served(self, name: str | None) -> None:
        """Let callers use the served version of a flow whose draft has errors, if there is one."""
        if name in self._programs:
            self._flows[name] = self._programs[name].flow
        elif name:
            self._flows.pop(name, None)
            self._broken.add(name)
