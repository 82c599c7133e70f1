"""What an expression can read, and the only two things it can ask of the world outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

ROOTS = (
    "inputs",
    "steps",
    "vars",
    "env",
    "secrets",
    "request",
    "flow",
    "item",
    "index",
    "error",
)
"""The names an expression can begin with; each is an attribute of the scope."""


class Scope(Protocol):
    """The names of one run. All values are JSON values, which nobody changes in place."""

    @property
    def inputs(self) -> Mapping[str, Any]: ...
    @property
    def steps(self) -> Mapping[str, Any]: ...
    @property
    def vars(self) -> Mapping[str, Any]: ...
    @property
    def env(self) -> Mapping[str, Any]: ...
    @property
    def secrets(self) -> Mapping[str, Any]: ...
    @property
    def request(self) -> Mapping[str, Any]: ...
    @property
    def flow(self) -> Mapping[str, Any]: ...
    @property
    def item(self) -> Any: ...
    @property
    def index(self) -> Any: ...
    @property
    def error(self) -> Any: ...

    def now(self) -> datetime:
        """The time, aware and in UTC."""

    def uuid(self) -> str:
        """A new random id."""
