"""What an expression can read, and the two functions of the scope that it can call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.expression.errors import TemplatePath

ROOTS = ("inputs", "steps", "vars", "env", "secrets", "request", "flow", "item", "index", "error")
"""The names an expression can begin with; each is an attribute of the scope."""


class Scope(Protocol):
    """The names of one run. All values are JSON values, which must not be changed."""

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


@dataclass(frozen=True, slots=True)
class Read:
    """One read of a root: ``steps.login.body[0].id`` has the path ``("steps", "login", "body")``.

    The path ends before the first index; ``offset`` and ``length`` are its characters in the text
    at ``where``. A read in the first argument of ``default`` is ``safe``: it may find nothing.
    """

    path: tuple[str, ...]
    offset: int
    length: int
    where: TemplatePath
    safe: bool

    def spelled(self, *path: str) -> str:
        """Another path, written the way this read is written."""
        return ".".join(path)

    @property
    def fallback(self) -> str:
        """A hint for a read of what may not be defined."""
        return f"write `default({self.spelled(*self.path)}, null)`, or another value than null"
