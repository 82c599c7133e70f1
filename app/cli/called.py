"""Which flows the files that ``flask flow lint`` looks at can call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from app.catalog.loader import Draft, read_flow
from app.language.environment import CallableFlows, Environment


def flows_to_call(
    home: Path, linted: Sequence[Draft], others: Iterable[Draft], environment: Environment
) -> CallableFlows:
    """What the flows of the folder ``home`` can call: those beside them, and ``others``.

    That is also one with mistakes, if it is linted: they are told where they stand.

    Raises:
        ClickException: a file cannot be read.
    """
    named = {draft.name: draft for draft in [*others, *linted] if draft.name}
    told = {draft.name for draft in linted if draft.flow}
    reached = _reached(home, linted, named)
    flows = CallableFlows(
        {name: draft.flow for name, draft in named.items() if draft.flow},
        {name: draft.calls for name, draft in named.items()},
    )
    untold = {name: named[name] for name in reached - told}
    return CallableFlows(
        flows.flows, flows.calls, _broken(untold, replace(environment, flows=flows))
    )


def _reached(home: Path, linted: Sequence[Draft], named: dict[str, Draft]) -> set[str]:
    """What these call, also through others; ``named`` gets what stands beside them."""
    told = {draft.name for draft in linted}
    reached: set[str] = set()
    pending = [name for draft in linted for name in draft.calls]
    while pending:
        name = pending.pop()
        if name not in reached | told and (file := home / f"{name}.yaml").is_file():
            named[name] = read_draft(file)
        if name in named and name not in reached:
            reached.add(name)
            pending += named[name].calls
    return reached


def _broken(drafts: Mapping[str, Draft], environment: Environment) -> set[str]:
    """Those that have errors themselves, or call one that has."""
    broken = {name for name, draft in drafts.items() if draft.check(environment).flow is None}
    while more := {name for name in drafts.keys() - broken if drafts[name].calls & broken}:
        broken |= more
    return broken


def read_draft(file: Path) -> Draft:
    """A flow file.

    Raises:
        ClickException: it cannot be read.
    """
    return read_flow(file.absolute(), read_bytes(file))


def read_bytes(file: Path) -> bytes:
    """What stands in a file.

    Raises:
        ClickException: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
