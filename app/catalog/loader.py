"""From the text of a flow file to a flow, or to everything that is wrong with it.

``yaml`` (text → raw data with places) → ``schemas`` (raw data → records) → ``checks`` (the flow as
a whole). Each stage goes on where the one before left something usable, so one run shows all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from marshmallow import ValidationError

import app.verbs  # noqa: F401 - fills the table of verbs, by which a flow is read
from app.expression import Issue, find_braces
from app.language.checks import check, secret_literals
from app.language.diagnose import diagnostic_at, once, problems
from app.language.environment import Environment
from app.language.fields import issue
from app.language.flow import Flow
from app.language.schemas import FlowSchema
from app.language.step import called_in
from app.yaml.diagnostics import Diagnostic, Severity, did_you_mean
from app.yaml.document import Document, Path, YamlError, load

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
VERSION = re.compile(r"v(?:0|[1-9]\d{0,8})")

_CONSEQUENCES = {"inputs": "unknown-input", "outputs": "unknown-output"}
"""What every step is blamed for when a key of the flow could not be read."""

FlowIssue = tuple[Path, Issue]
"""A path from the root of the document, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class LoadedFlow:
    """What became of a file. ``flow`` is ``None`` exactly when a finding is an error."""

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
    """A flow as far as it can be read by itself; the checks have not seen it yet.

    ``flow`` is ``None`` where nothing usable was found. Then ``findings`` say why.
    """

    path: PurePath
    text: str
    flow: Flow | None
    diagnostics: tuple[Diagnostic, ...]
    document: Document | None
    mistakes: tuple[FlowIssue, ...] = ()

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
            diagnostics += _checked(document, flow, environment, self.mistakes)
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
    flow, mistakes = _flow(named or ("flow", "v1"), document)
    diagnostics += [
        diagnostic_at(document, where, Severity.ERROR, found) for where, found in mistakes
    ]
    return Draft(path, text, flow, tuple(diagnostics), document, tuple(mistakes))


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
    mistakes: list[FlowIssue] = []
    try:
        data = _SCHEMA.load(document.data)
    except ValidationError as error:
        mistakes += problems(error.messages, (), document.places)
        data = error.valid_data if isinstance(error.valid_data, dict) else {}
        if "steps" not in data:
            return None, mistakes
    flow = Flow(key=named[0], version=named[1], **{**data, "steps": tuple(data["steps"])})
    return flow, mistakes


def _checked(
    document: Document, flow: Flow, environment: Environment, mistakes: Iterable[FlowIssue]
) -> Iterator[Diagnostic]:
    """What the checks find, but for what follows from an unreadable or misspelt key of the flow."""
    wrong = {path[0] for path, _ in mistakes if len(path) == 1}
    hushed = {
        code
        for key, code in _CONSEQUENCES.items()
        if any(key in (word, did_you_mean(str(word), FlowSchema().known)) for word in wrong)
    }
    for path, severity, found in check(flow, environment):
        if found.code not in hushed:
            yield diagnostic_at(document, path, severity, found)
    yield from _warnings(document)


_SCHEMA = FlowSchema()


def _warnings(document: Document) -> Iterator[Diagnostic]:
    """What the raw data alone shows: secrets in the file, braces of other template languages."""
    for path in secret_literals(document.data):
        message = f"`{path[-1]}` looks like a secret written in the file"
        hint = "write `${secrets.NAME}` and set SITESWAP_SECRET_NAME"
        found = issue("secret-in-file", message, hint)
        yield diagnostic_at(document, path, Severity.WARNING, found)
    for found in find_braces(document.data):
        yield diagnostic_at(document, (), Severity.WARNING, found)
