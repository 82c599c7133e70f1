"""A program: a flow that is compiled, with the text it was made of and those of all it calls."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.language.flow import Flow
from app.language.inputs import check_output
from app.language.step import called_in
from app.runtime.scope import Action, Run
from app.runtime.signals import ReturnSignal, StepError

_BREAK = "\f"
"""Between the texts of one source. No YAML text can hold it."""


@dataclass(frozen=True)
class Program:
    """A flow, ready to run. ``reads_request`` says whether anything in it reads ``request``.

    ``text`` is that of its file, ``called`` those of every flow that a run of it may call, by
    ``key/version``.
    """

    flow: Flow
    steps: Action
    reads_request: bool
    text: str
    called: Mapping[str, str]

    @property
    def calls(self) -> frozenset[str]:
        """The flows that its own steps call."""
        return called_in(self.flow.steps)

    @cached_property
    def source(self) -> str:
        """All that the program was made of."""
        return join_source(self.text, self.called)

    @cached_property
    def digest(self) -> str:
        """A name for the source."""
        return digest_of(self.source)

    def outputs_of(self, run: Run) -> dict[str, Any]:
        """Carry out the steps: every declared output; one that was not set is ``None``.

        Raises:
            StepError: a step failed, or a value is not of its declared type.
            Signal: the run ends, stops or waits otherwise.
        """
        values: dict[str, Any] = {}
        try:
            self.steps(run)
        except ReturnSignal as signal:
            values = signal.outputs
        return {
            name: _output(name, type_name, values.get(name))
            for name, type_name in self.flow.outputs.items()
        }


def _output(name: str, type_name: str, value: Any) -> Any:
    try:
        return check_output(type_name, value)
    except ValueError as error:
        raise StepError("output", f"output `{name}`: {error}") from None


def digest_of(source: str) -> str:
    """The name of a source."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def join_source(text: str, called: Mapping[str, str]) -> str:
    """One text of a flow's and those that it calls, which may be none."""
    parts = (f"{_BREAK}{name}\n{called[name]}" for name in sorted(called))
    return "".join([text, *parts])


def split_source(source: str) -> tuple[str, dict[str, str]]:
    """The reverse of :func:`join_source`."""
    text, *parts = source.split(_BREAK)
    named = (part.partition("\n") for part in parts)
    return text, {name: called for name, _, called in named}
