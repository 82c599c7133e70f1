"""What a flow is: frozen records, made by the schemas, read by the checks and the compiler.

Nothing here knows its line in a file; a *path* (``("steps", 0, "json")``) names a place, and
:class:`app.yaml.document.Document` turns a path into a line and a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.language.step import Step
    from app.language.url import UrlTemplate

Reader = Callable[[Any], Any]
"""Turns a value into one of a type, or raises :class:`app.language.inputs.InvalidValue`."""
Readers = Mapping[str, Reader]
"""A reader for each type: those for callers, which take text too, or those of JSON values."""

MODES = ("sync", "async")
DEFAULT_TIMEOUT = {"sync": 30.0, "async": 600.0}
"""Seconds a run may take where the flow does not say ``timeout``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One declared input, or the items of a list, or a property of an object.

    ``read`` returns the typed value, its limits checked and defaults filled in, or raises
    :class:`app.language.inputs.InvalidValue`. Its readers decide which texts count.
    """

    type: str
    read: Callable[[Any, Readers], Any] = field(repr=False, compare=False)
    required: bool = True
    default: Any = None
    secret: bool = False
    description: str | None = None
    items: Input | None = field(default=None, repr=False, compare=False)
    properties: Mapping[str, Input] = field(default_factory=dict, repr=False, compare=False)

    @property
    def holds_secrets(self) -> bool:
        """Whether it is secret, or has items or properties that are."""
        parts = [*self.properties.values(), *([self.items] if self.items else [])]
        return self.secret or any(part.holds_secrets for part in parts)

    def secrets_in(self, value: Any) -> Iterator[Any]:
        """What of its value is secret: all of it, or what its items and properties say."""
        if self.secret:
            yield value
        elif self.items and isinstance(value, list):
            for item in value:
                yield from self.items.secrets_in(item)
        elif isinstance(value, dict):
            for name, part in self.properties.items():
                yield from part.secrets_in(value.get(name))


def secrets_in(inputs: Mapping[str, Input], values: Mapping[str, Any]) -> list[Any]:
    """What is secret in the values of these inputs, by their names."""
    return [secret for name, spec in inputs.items() for secret in spec.secrets_in(values.get(name))]


DEFAULT_CONCURRENCY = 16
"""Runs of one async flow that are under way at once in a worker process."""


@dataclass(frozen=True)
class Flow:
    """One version of a flow. ``callback`` is the address that is told of a run's end.

    ``has_own_timeout`` says whether its file says ``timeout``; otherwise it is the mode's default.
    """

    key: str
    version: str
    steps: tuple[Step, ...]
    name: str | None = None
    description: str | None = None
    mode: str = "sync"
    enabled: bool = True
    timeout: float = DEFAULT_TIMEOUT["sync"]
    has_own_timeout: bool = False
    retryable: bool = False
    concurrency: int = DEFAULT_CONCURRENCY
    callback: UrlTemplate | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def secret_inputs(self) -> Mapping[str, Input]:
        """The inputs of which something is masked wherever a person could read it."""
        return {name: spec for name, spec in self.inputs.items() if spec.holds_secrets}
