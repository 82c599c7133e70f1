"""The YAML loader: strict, bounded, and every value knows its line and column.

The scalars are those of YAML 1.2 that JSON has too (:mod:`app.spec.yaml_scalars`). Anchors and
aliases may be used; tags, merge keys, keys that are not text, and keys that stand twice may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from yaml.events import DocumentEndEvent, Event, ScalarEvent, StreamEndEvent

from app.spec.diagnostics import Finding, Path, Severity
from app.spec.source import Problem, ProblemError, Source
from app.spec.yaml_builder import MAX_NODES, Builder
from app.spec.yaml_lines import Trouble
from app.spec.yaml_places import Place, Places
from app.spec.yaml_syntax import explain

__all__ = ["MAX_BYTES", "Document", "Place", "YamlError", "load"]

MAX_BYTES = 256 * 1024
"""Size of a file that is accepted."""

MAX_FINDINGS = 100
"""Findings in one file that are reported."""

MAX_REPAIRS = 20
"""Mistakes in one file behind which reading goes on."""

Parser = Any
"""One of PyYAML's loader classes, of which only the events are used."""

_FASTEST: Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*+%")
_NOTHING = re.compile(r"(?:[ \t\n]|(?<![^ \t\n])#[^\n]*)*+")


class YamlError(ValueError):
    """There is no usable document; ``findings`` say why, sorted by their places."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        super().__init__("; ".join(f"line {each.line}: {each.message}" for each in self.findings))


class Document:
    """One YAML file as plain data (``dict list str int float bool None``) with its places.

    ``findings`` are the problems behind which reading could go on, warnings among them: the data
    is then what the author probably meant, for further checks, and not to be used if one of
    them is an error.
    """

    def __init__(self, data: Any, places: Places, findings: Sequence[Finding]) -> None:
        self.data = data
        self.places: Mapping[Path, Place] = places
        self.findings = list(findings)
        self._locate = places.locate

    def locate(self, path: Path, offset: int = 0) -> tuple[int, int]:
        """Line and column of the character ``offset`` of the decoded scalar at ``path``.

        For a mapping or a list, where it begins; for a path that does not exist, the place of the
        nearest value around it.
        """
        return self._locate(path, offset)


def load(text: str | bytes, *, parser: Parser = _FASTEST) -> Document:
    """Read one YAML document. ``parser`` is libyaml's where it is installed.

    Raises:
        YamlError: there is no usable document. Nothing else is raised, whatever the text is.
    """
    source, repaired, spent = _source(text), list[Finding](), 0
    while True:
        builder = Builder(source.text)
        problem = _build(builder, source.text, parser)
        if problem is None:
            places = Places(source, builder.nodes)
            return Document(builder.data, places, _sorted(source, builder, repaired))
        finding, spent = source.finding(problem), spent + builder.count
        is_new = finding.line not in {each.line for each in repaired}
        repaired += [finding] * is_new
        can_go_on = is_new and len(repaired) <= MAX_REPAIRS and spent < MAX_NODES
        if not (can_go_on and problem.repair):
            raise YamlError(_sorted(source, builder, repaired))
        source = source.repaired(problem.repair)


def _sorted(source: Source, builder: Builder, repaired: Sequence[Finding]) -> list[Finding]:
    found = [*repaired, *map(source.finding, dict.fromkeys(builder.problems))]
    return sorted(found)[:MAX_FINDINGS]


def _build(builder: Builder, text: str, parser: Parser) -> Problem | None:
    """Build the document; the problem behind which that could not go on."""
    if directive := _DIRECTIVE.match(text):
        return _whole_line(text, directive.end() - 1)
    loader = parser(text)
    try:
        return _feed(builder, text, loader.get_event)
    except ProblemError as error:
        return error.problem
    except yaml.YAMLError as error:
        return explain(_trouble(builder, text, error))
    except ValueError as error:  # only the pure Python parser: a number in an escape is too large
        return Problem(_last_end(builder), _last_end(builder), "yaml-syntax", f"not YAML: {error}")
    finally:
        loader.dispose()


def _feed(builder: Builder, text: str, next_event: Callable[[], Event]) -> Problem | None:
    event = next_event()
    while not isinstance(event, (DocumentEndEvent, StreamEndEvent)):
        builder.feed(event)
        event = next_event()
    if isinstance(event, StreamEndEvent) or _is_empty(builder):
        return Problem(0, 0, "empty-file", "the file is empty")
    builder.finish()
    return _rest(text, event.end_mark.index)


def _is_empty(builder: Builder) -> bool:
    return isinstance(builder.last, ScalarEvent) and builder.data is None and ...


def _rest(text: str, end: int) -> Problem | None:
    """What stands behind the end of the document."""
    rest = _NOTHING.match(text, end)
    start = rest.end() if rest else end
    if start == len(text):
        return None
    to = line_at(text, start).value_end
    if text.startswith(("---", "..."), start):
        return Problem(start, to, "second-document", "a second document begins here", "…")
    return Problem(start, to, "after-document", "…")
