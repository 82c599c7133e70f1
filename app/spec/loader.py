"""From the text of a flow file to a flow, or to everything that is wrong with it.

``yaml`` (text → raw data with places) → ``schemas`` (raw data → records) → ``checks`` (the flow as
a whole). Each stage goes on where the one before left something usable, so one run shows all.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from marshmallow import ValidationError

from app.expression import Problem, find_braces
from app.spec.checks import check, secret_literals
from app.spec.diagnostics import Finding, Severity, did_you_mean
from app.spec.fields import problem
from app.spec.model import Flow
from app.spec.schemas import FlowSchema
from app.spec.surroundings import Surroundings
from app.spec.yaml import Document, Path, YamlError, load
from app.step import called_in

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
VERSION = re.compile(r"v(?:0|[1-9]\d{0,8})")

_MARSHMALLOW_WORDS = {
    "Missing data for required field.": (
        "missing-key",
        "the key `{key}` is missing",
        "add `{key}: …`",
    ),
    "Field may not be null.": (
        "empty-value",
        "`{key}` has no value",
        "write its value after the colon, or below it",
    ),
    "Not a valid list.": (
        "wrong-type",
        "`{key}` is a list",
        "write `[a, b]`, or lines that begin with `- `",
    ),
}
"""marshmallow's own sentences, in ours."""

_CONSEQUENCES = {"inputs": "unknown-input", "outputs": "unknown-output"}
"""What every step is blamed for when a key of the flow could not be read."""

_SPACING = frozenset({"missing-space", "full-width"})
"""Warnings about text that was probably meant to be a key and its value."""


Mistake = tuple[Path, Problem]
"""A path from the root of the document, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file. ``flow`` is ``None`` exactly when a finding is an error."""

    flow: Flow | None
    findings: tuple[Finding, ...]


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
    findings: tuple[Finding, ...]
    document: Document | None
    mistakes: tuple[Mistake, ...] = ()

    @property
    def name(self) -> str | None:
        """``key/version``, if the path names a flow."""
        return name_of(self.path)

    @property
    def calls(self) -> frozenset[str]:
        """The flows that it calls."""
        return called_in(self.flow.steps) if self.flow else frozenset()

    def check(self, surroundings: Surroundings) -> Loaded:
        """The flow, or everything that is wrong with it."""
        document, flow = self.document, self.flow
        if document is None:
            return Loaded(None, self.findings)
        findings = list(self.findings)
        if flow is not None:
            findings += _checked(document, flow, surroundings, self.mistakes)
        findings = once(document, findings)
        if any(finding.severity is Severity.ERROR for finding in findings):
            flow = None
        return Loaded(flow, tuple(sorted(set(findings))))


def read_flow(path: PurePath, data: str | bytes) -> Draft:
    """Read a flow file. Never raises, whatever the text is."""
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    named = identity(path)
    findings = [] if named else [_bad_path(path)]
    try:
        document = load(data)
    except YamlError as error:
        found = tuple(sorted([*findings, *error.findings]))
        return Draft(path, text, None, found, None)
    flow, mistakes = _flow(named or ("flow", "v1"), document)
    findings += [finding_at(document, where, Severity.ERROR, found) for where, found in mistakes]
    return Draft(path, text, flow, tuple(findings), document, tuple(mistakes))


def load_flow(path: PurePath, data: str | bytes, surroundings: Surroundings) -> Loaded:
    """Read and check a flow file. Never raises, whatever the text is."""
    return read_flow(path, data).check(surroundings)


def _bad_path(path: PurePath) -> Finding:
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
    return Finding(1, 1, Severity.ERROR, "bad-path", message, hint)


def _flow(named: tuple[str, str], document: Document) -> tuple[Flow | None, list[Mistake]]:
    """The flow, as far as it can be read, and what is wrong with its parts."""
    mistakes: list[Mistake] = []
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
    document: Document, flow: Flow, surroundings: Surroundings, mistakes: Iterable[Mistake]
) -> Iterator[Finding]:
    """What the checks find, but for what follows from an unreadable or misspelt key of the flow."""
    wrong = {path[0] for path, _ in mistakes if len(path) == 1}
    hushed = {
        code
        for key, code in _CONSEQUENCES.items()
        if any(key in (word, did_you_mean(str(word), FlowSchema().known)) for word in wrong)
    }
    for path, severity, found in check(flow, surroundings):
        if found.code not in hushed:
            yield finding_at(document, path, severity, found)
    yield from _warnings(document)


def once(document: Document, later: list[Finding]) -> list[Finding]:
    """Each mistake once: YAML's own errors come first, and a warning gives way to an error."""
    spacing = {each.line: each for each in document.findings if each.code in _SPACING}
    later = [
        replace(spacing[each.line], severity=Severity.ERROR)
        if each.code == "wrong-type" and each.line in spacing
        else each
        for each in later
    ]
    explained = _errors(document.findings)
    braces = {each.line for each in later if each.code == "braces"}
    kept = [each for each in later if _place(each) not in explained]
    kept += [each for each in document.findings if not (_is_braces(each) and each.line in braces)]
    wrong = _errors(kept)
    return [each for each in kept if each.severity is Severity.ERROR or _place(each) not in wrong]


def _is_braces(finding: Finding) -> bool:
    return finding.code == "template-braces" and finding.severity is Severity.WARNING


def _errors(findings: Iterable[Finding]) -> set[tuple[int, int]]:
    return {_place(each) for each in findings if each.severity is Severity.ERROR}


def _place(finding: Finding) -> tuple[int, int]:
    return finding.line, finding.column


_SCHEMA = FlowSchema()


def problems(messages: Any, path: Path, written: Container[Path]) -> Iterator[tuple[Path, Problem]]:
    """The leaves of marshmallow's error tree. Its own key is passed over unless it is written."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            is_own = key == "_schema" and (*path, key) not in written
            yield from problems(below, path if is_own else (*path, key), written)
        return
    for message in messages if isinstance(messages, list) else [messages]:
        if isinstance(message, Problem):
            yield path, message
        elif isinstance(message, dict | list):
            yield from problems(message, path, written)
        else:
            yield path, _own_words(str(message), path)


def _own_words(message: str, path: Path) -> Problem:
    words = _MARSHMALLOW_WORDS.get(message, ("wrong-type", message.rstrip("."), None))
    code, sentence, hint = words
    key = path[-1] if path else "flow"
    return problem(code, sentence.format(key=key), hint and hint.format(key=key))


def finding_at(document: Document, path: Path, severity: Severity, found: Problem) -> Finding:
    """A problem at its line and column: in its scalar, or at its key, or at the nearest parent."""
    whole = (*path, *found.path)
    while whole not in document.places:
        whole = whole[:-1]
    place = document.places[whole]
    if found.length:
        line, column = document.locate(whole, found.offset)
        length = found.length
    elif place.key_line and found.code in _AT_KEY:
        line, column, length = place.key_line, place.key_column, place.key_length
    else:
        line, column, length = place.line, place.column, place.length
    return Finding(line, column, severity, found.code, found.message, found.hint, max(length, 1))


_AT_KEY = frozenset(
    [
        "unknown-key",
        "unknown-verb",
        "two-verbs",
        "two-bodies",
        "two-auths",
        "unreachable",
        "bad-name",
        "reserved-name",
        "unknown-input",
        "unknown-output",
        "unknown-param",
        "unused-input",
        "unsafe-retry",
        "useless-key",
        "misplaced-limit",
        "required-default",
        "switched-off",
    ]
)
"""Findings that are about a key rather than its value."""


def _warnings(document: Document) -> Iterator[Finding]:
    """What the raw data alone shows: secrets in the file, braces of other template languages."""
    for path in secret_literals(document.data):
        message = f"`{path[-1]}` looks like a secret written in the file"
        hint = "write `${secrets.NAME}` and set SITESWAP_SECRET_NAME"
        found = problem("secret-in-file", message, hint)
        yield finding_at(document, path, Severity.WARNING, found)
    for found in find_braces(document.data):
        yield finding_at(document, (), Severity.WARNING, found)
