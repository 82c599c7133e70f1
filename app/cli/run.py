"""``siteswap run``: a run in this process, from the command line's inputs to the envelope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import click

from app.errors import SiteswapError
from app.language.inputs import coerce
from app.runs.runner import Runner, TriggerResult
from app.runtime.program import Program
from app.runtime.trace import Trace
from app.strict_json import JsonError, dumps, loads
from app.web import envelope

REQUEST: dict[str, Any] = {
    "method": "CLI", "headers": {}, "query": {}, "body": None, "raw": None,
}  # fmt: skip
"""What a flow reads as ``request`` in a run without one."""


def given_inputs(pairs: Sequence[str], file: IO[bytes] | None) -> dict[str, Any]:
    """The inputs of ``--inputs`` with those of ``-i`` over them; a name given twice is a list.

    Raises:
        UsageError: an option is not what it should be.
    """
    given: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"-i {pair}: write it like -i name=value")
        given.setdefault(name, []).append(value)
    single = {name: values if len(values) > 1 else values[0] for name, values in given.items()}
    return {**_json_inputs(file), **single}


def _json_inputs(file: IO[bytes] | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        value = loads(file.read())
    except JsonError as error:
        raise click.UsageError(f"--inputs: {error}") from None
    if not isinstance(value, dict):
        raise click.UsageError("--inputs: expected a JSON object")
    return value


def run(
    runner: Runner, program: Program, given: dict[str, Any], trace: Trace | None
) -> tuple[str, bool]:
    """The envelope as text, and whether all went well. An async flow is run to its end."""
    try:
        inputs = coerce(program.flow.inputs, given)
    except SiteswapError as error:
        return envelope.failure(error.code, error.public), False
    answer = runner.run(program, inputs, REQUEST, trace)
    return _answer(program, answer), answer.error is None


def _answer(program: Program, answer: TriggerResult) -> str:
    """What the trigger answers, or for an async flow what polling would."""
    if program.flow.mode == "async" and answer.error is None:
        return envelope.success(dumps(answer.data))
    return envelope.triggered(answer)
