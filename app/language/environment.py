"""What the checks of a flow know of the process that will run it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.language.flow import Flow


class CallableFlows:
    """The flows that others may call, by ``key/version``; ``broken`` ones cannot be called.

    ``calls`` are the names that each flow calls, in its own steps.
    """

    def __init__(
        self,
        flows: Mapping[str, Flow],
        calls: Mapping[str, Collection[str]],
        broken: Collection[str] = (),
    ) -> None:
        self.flows = flows
        self.calls = calls
        self.broken = broken

    def chain(self, start: str, goal: str) -> list[str] | None:
        """The calls that lead from one flow to another, both named; ``None`` if there are none."""
        reached: dict[str, list[str]] = {start: [start]}
        pending = [start]
        while pending:
            name = pending.pop(0)
            if name == goal:
                return reached[name]
            for called in sorted(self.calls.get(name, ())):
                if called not in reached:
                    reached[called] = [*reached[name], called]
                    pending.append(called)
        return None

    def depth(self, name: str, most: int) -> int:
        """How many flows run inside each other in a call of this one; counts up to ``most``."""
        level = {name}
        for depth in range(1, most):
            level = {called for each in level for called in self.calls.get(each, ())}
            if not level:
                return depth
        return most


@dataclass(frozen=True, slots=True)
class Environment:
    """What there is in this process; ``None`` when it is not known here.

    ``env`` and ``secrets`` are names that flows may read, ``services`` and ``databases`` those that
    they may use; ``runs_python`` says whether the authors of flows are trusted with code.
    """

    env: frozenset[str] | None = None
    secrets: frozenset[str] | None = None
    services: frozenset[str] | None = None
    databases: frozenset[str] | None = None
    flows: CallableFlows | None = None
    runs_python: bool | None = None
