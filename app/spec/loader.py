"""From the text of a flow file to a flow, or to everything that is wrong with it.

``yaml`` (text → raw data with places) → ``schemas`` (raw data → records) → ``checks`` (the flow as
a whole). Each stage goes on where the one before left something usable, so one run shows all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from marshmallow import ValidationError

from app.expression import Problem, find_braces
from app.spec.checks import Surroundings, check, secret_literals
from app.spec.diagnostics import Finding, Severity
from app.spec.fields import problem
from app.spec.model import Flow
from app.spec.schemas import FlowSchema
from app.spec.yaml import Document, Path, YamlError, load

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
VERSION = re.compile(r"v(?:0|[1-9]\d{0,8})")

_MARSHMALLOW_WORDS = {
    "Missing data for required field.": ("missing-key", "the key `{key}` is missing"),
    "Field may not be null.": ("empty-value", "`{key}` has no value"),
    "Not a valid list.": ("wrong-type", "`{key}` is a list: begin each line with `- `"),
    "Not a valid mapping type.": ("wrong-type", "`{key}` is an object of `name: value` lines"),
}
"""marshmallow's own sentences, in ours."""


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


def load_flow(path: PurePath, text: str | bytes, surroundings: Surroundings) -> Loaded:
    """Read a flow file. Never raises, whatever the text is."""
    named = identity(path)
    findings = [] if named else [_bad_path(path)]
    try:
        document = load(text)
    except YamlError as error:
        return Loaded(None, tuple(sorted([*findings, *error.findings])))
    findings += document.findings
    flow = _flow(named or ("flow", "v1"), document, findings)
    if flow is not None:
        findings += [_finding(document, *report) for report in check(flow, surroundings)]
        findings += _warnings(document)
    if any(finding.severity is Severity.ERROR for finding in findings):
        flow = None
    return Loaded(flow, tuple(sorted(set(findings))))


def _bad_path(path: PurePath) -> Finding:
    return Finding(
        1,
        1,
        Severity.ERROR,
        "bad-path",
        f"`{path.parent.name}/{path.name}` does not name a flow and its version",
        "name it flows/<key>/v1.yaml: the key a letter, then letters, digits, `_`, `-`",
    )


def _flow(named: tuple[str, str], document: Document, findings: list[Finding]) -> Flow | None:
    try:
        data = _SCHEMA.load(document.data)
    except ValidationError as error:
        reports = _problems(error.messages, ())
        findings += [_finding(document, path, Severity.ERROR, found) for path, found in reports]
        data = error.valid_data if isinstance(error.valid_data, dict) else {}
        if "steps" not in data:
            return None
    return Flow(key=named[0], version=named[1], **{**data, "steps": tuple(data["steps"])})


_SCHEMA = FlowSchema()


def _problems(messages: Any, path: Path) -> Iterator[tuple[Path, Problem]]:
    """The leaves of marshmallow's error tree. Keys that are its own invention are passed over."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from _problems(below, path if key == "_schema" else (*path, key))
        return
    for message in messages if isinstance(messages, list) else [messages]:
        if isinstance(message, Problem):
            yield path, message
        elif isinstance(message, dict | list):
            yield from _problems(message, path)
        else:
            yield path, _own_words(str(message), path)


def _own_words(message: str, path: Path) -> Problem:
    code, words = _MARSHMALLOW_WORDS.get(message, ("wrong-type", message.rstrip(".")))
    return problem(code, words.format(key=path[-1] if path else "flow"))


def _finding(document: Document, path: Path, severity: Severity, found: Problem) -> Finding:
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
        "bad-name",
        "reserved-name",
        "unknown-output",
        "unused-input",
        "unsafe-retry",
        "useless-key",
        "misplaced-limit",
        "required-default",
    ]
)
"""Findings that are about a key rather than its value."""


def _warnings(document: Document) -> Iterator[Finding]:
    """What the raw data alone shows: secrets in the file, braces of other template languages."""
    for path in secret_literals(document.data):
        message = f"`{path[-1]}` looks like a secret written in the file"
        hint = "write `${secrets.NAME}` and set SITESWAP_SECRET_NAME"
        found = problem("secret-in-file", message, hint)
        yield _finding(document, path, Severity.WARNING, found)
    for found in find_braces(document.data):
        yield _finding(document, (), Severity.WARNING, found)
