"""From the parser's events to plain data, with the events that each value came from.

Events, not PyYAML's constructors: their depth and number are checked as they arrive, so hostile
text ends early, and YAML 1.1's surprises (tags, merge keys, octal numbers) never happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from app.yaml.checks import Checks, issue_at
from app.yaml.diagnostics import Path
from app.yaml.lines import TextIssue, TextIssueError
from app.yaml.scalars import WORDS, Scalar, resolve

MAX_DEPTH = 50
"""Nesting of mappings and lists that is accepted."""

MAX_NODES = 20_000
"""Keys and values that are accepted; an alias counts as all the values that it repeats."""


@dataclass(slots=True)
class Node:
    """The events of one value: of its key (if it has one), its beginning and its end."""

    key: NodeEvent | None
    start: NodeEvent
    end: Event


@dataclass(slots=True)
class _Frame:
    """One mapping or list that is still open.

    ``path`` is ``None`` for a part that is read but not kept: a second value of the same key, or a
    part of a key. In a mapping ``key_event`` is the key whose value comes next, ``None`` if a key
    comes next; ``key`` is its text, ``None`` if the value is not to be kept.
    """

    container: Any
    path: Path | None
    start: CollectionStartEvent
    log_index: int
    key: str | None = None
    key_event: NodeEvent | None = None

    @property
    def wants_key(self) -> bool:
        return self.key_event is None and type(self.container) is dict

    def put(self, value: Any) -> Path | None:
        """Add the next value; the path it has, if it is kept."""
        step: str | int | None = self.key
        if self.key_event is None:
            step = len(self.container)
            self.container.append(value)
        elif step is not None:
            self.container[step] = value
        self.key_event = None
        return None if step is None or self.path is None else (*self.path, step)


class DocumentBuilder:
    """Takes the events of one document, in order."""

    def __init__(self, text: str) -> None:
        self.data: Any = None
        self.nodes: dict[Path, Node] = {}
        self.last: Event | None = None
        self.count = 0
        self._checks = Checks(text)
        self._frames: list[_Frame] = []
        self._log: list[Event] = []
        self._anchors: dict[str, tuple[int, int] | None] = {}
        self._unused: dict[str, NodeEvent] = {}

    @property
    def issues(self) -> list[TextIssue]:
        """What is wrong with the text, and did not keep it from being read."""
        return self._checks.found

    @property
    def is_empty(self) -> bool:
        """Whether the document holds nothing at all, not even ``null``."""
        return isinstance(self.last, ScalarEvent) and not self.last.value and self.data is None

    @property
    def in_flow(self) -> bool:
        """Whether the next event belongs to a ``{…}`` or ``[…]``."""
        return bool(self._frames and self._frames[-1].start.flow_style)

    def feed(self, event: Event) -> None:
        """Take the next event.

        Raises:
            TextIssueError: the document cannot be read further.
        """
        self.last = event
        if isinstance(event, AliasEvent):
            self._alias(event)
            return
        self._log.append(event)
        if isinstance(event, ScalarEvent):
            self._scalar(event)
        elif isinstance(event, CollectionStartEvent):
            self._open(event)
        elif isinstance(event, CollectionEndEvent):
            self._close(event)

    def finish(self) -> None:
        """Check what can only be checked at the end."""
        for event in self._unused.values():
            self._checks.unused_anchor(event)

    def _scalar(self, event: ScalarEvent) -> None:
        self._admit(event)
        if event.anchor:
            self._anchors[event.anchor] = (len(self._log) - 1, len(self._log))
        frame = self._frames[-1] if self._frames else None
        if frame and frame.wants_key:
            frame.key = self._key(event, frame)
            frame.key_event = event
        else:
            self._attach(self._value(event, frame), event)

    def _open(self, event: CollectionStartEvent) -> None:
        self._admit(event)
        if len(self._frames) == MAX_DEPTH:
            raise _limit(event, "too-deep", f"nested deeper than {MAX_DEPTH} levels")
        if event.tag:
            self._checks.tag(event)
        if event.anchor:
            self._anchors[event.anchor] = None
        container: Any = {} if isinstance(event, MappingStartEvent) else []
        parent = self._frames[-1] if self._frames else None
        if parent and parent.wants_key:
            self._checks.collection_as_key(event, parent.start)
            parent.key, parent.key_event, path = None, event, None
        else:
            path = self._attach(container, event)
        self._frames.append(_Frame(container, path, event, len(self._log) - 1))

    def _close(self, event: CollectionEndEvent) -> None:
        frame = self._frames.pop()
        if frame.path is not None:
            self.nodes[frame.path].end = event
        if frame.start.anchor:
            self._anchors[frame.start.anchor] = (frame.log_index, len(self._log))

    def _alias(self, event: AliasEvent) -> None:
        if self._frames and self._frames[-1].wants_key:
            raise _limit(event, "non-string-key", f"`*{event.anchor}` cannot be used as a key")
        if event.anchor not in self._anchors:
            raise self._checks.undefined_alias(event, in_flow=self.in_flow)
        span = self._anchors[event.anchor]
        if span is None:
            raise _limit(
                event, "recursive-alias", f"`*{event.anchor}` is used inside the value it repeats"
            )
        if self.count + span[1] - span[0] > MAX_NODES:
            raise _limit(
                event, "too-many-values", f"aliases expand to more than {MAX_NODES} values"
            )
        self._unused.pop(event.anchor, None)
        for repeated in self._log[slice(*span)]:
            self.feed(repeated)

    def _admit(self, event: ScalarEvent | CollectionStartEvent) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise _limit(event, "too-many-values", f"more than {MAX_NODES} keys and values")
        if event.anchor and event.anchor not in self._anchors:
            self._unused[event.anchor] = event

    def _key(self, event: ScalarEvent, frame: _Frame) -> str | None:
        """The key, or ``None`` if its value is not to be kept."""
        key: str = event.value
        is_ordinary = key.isidentifier() and key not in WORDS and not event.tag
        if not is_ordinary and not self._checks.key(event, in_flow=self.in_flow):
            return None
        if key in frame.container:
            in_list = len(self._frames) > 1 and type(self._frames[-2].container) is list
            self._checks.duplicate_key(event, self._first(key, frame), in_list=in_list)
            return None
        return key

    def _first(self, key: str, frame: _Frame) -> Event | None:
        return None if frame.path is None else self.nodes[(*frame.path, key)].key

    def _value(self, event: ScalarEvent, frame: _Frame | None) -> Scalar:
        text: str = event.value
        if event.tag:
            return self._checks.tagged(event)
        if event.style:
            self._checks.quoted(event)
            return text
        if frame is None:
            self._checks.root(event)
        self._checks.plain(event, frame.key_event if frame else None)
        try:
            return resolve(text)
        except ValueError as error:
            self._checks.bad_number(event, str(error))
            return text

    def _attach(self, value: Any, event: NodeEvent) -> Path | None:
        """Put a value where it belongs; the path it has, if it is kept."""
        if not self._frames:
            self.data, self.nodes[()] = value, Node(None, event, event)
            return ()
        frame = self._frames[-1]
        key_event, path = frame.key_event, frame.put(value)
        if path is not None:
            self.nodes[path] = Node(key_event, event, event)
        return path


def _limit(event: NodeEvent, code: str, message: str) -> TextIssueError:
    return TextIssueError(issue_at(event, code, message))
