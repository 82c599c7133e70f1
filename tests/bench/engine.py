"""*engine*: ``sync_example`` in process against stub transports, beside plain Python functions."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from statistics import median

from app.catalog.loader import load_flow
from app.config.secrets import Secrets
from app.engine.compiler import compile_flow
from app.engine.interpreter import Interpreter
from app.http.message import Request, Response, Transport
from app.language.environment import Environment
from app.language.inputs import coerce
from app.runtime.scope import Dependencies
from app.runtime.threads import ThreadPool
from tests.bench import plain
from tests.bench.processes import ROOT
from tests.bench.rounds import interleave
from tests.bench.table import table
from tests.engine.world import NoPython

GIVEN = {"userName": "juggle", "password": "123456", "deposit": "1000.00"}
TARGET = 60.0
"""µs that the engine may cost above the functions with JSON."""

BATCH = 200
"""Runs in a row of one subject; short, so that a slow spell of the machine meets all of them."""


class StubTransport:
    """Answers with ready bytes."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        headers = {"content-type": "application/json"}
        self._answers = {path: Response(200, headers, body) for path, body in bodies.items()}

    def send(self, request: Request) -> Response:
        """The answer of the path."""
        return self._answers[request.url.partition("?")[0]]


def engine() -> Callable[[], object]:
    """One run of the flow, coercion of its inputs included."""
    path = ROOT / "flows/sync_example/v1.yaml"
    flow = load_flow(path, path.read_bytes(), Environment()).flow
    assert flow is not None
    program, interpreter = (
        compile_flow(flow, ""),
        Interpreter(stub_tools(StubTransport(plain.ANSWERS))),
    )
    return lambda: interpreter.run(program, coerce(flow.inputs, GIVEN), {}, "sync_0123456789abcdef")


def stub_tools(transport: Transport) -> Dependencies:
    """The tools of a process, with this transport."""
    return Dependencies(
        transport=transport,
        python=NoPython(),
        monotonic=time.monotonic,
        sleep=time.sleep,
        random=random.random,
        now=lambda: datetime.now(UTC),
        uuid=lambda: str(uuid.uuid4()),
        env={},
        secrets=Secrets(),
        max_response_bytes=10_000_000,
        thread_pool=ThreadPool(0),
        log=logging.getLogger("siteswap.bench"),
    )


def subjects() -> dict[str, Callable[[], object]]:
    """What is compared; each gives the same outputs."""
    return {
        "engine": engine(),
        "plain functions, with JSON": lambda: plain.with_json(GIVEN),
        "plain functions, no JSON": lambda: plain.without_json(GIVEN),
    }


def microseconds(run: Callable[[], object], count: int) -> float:
    """CPU time of one run: unlike wall time it does not count what other processes take."""
    began = time.process_time()
    for _ in range(count):
        run()
    return (time.process_time() - began) / count * 1e6


def report(rounds: int, batch: int = BATCH) -> str:
    """Measure, and say it in a table."""
    compared = subjects()
    outputs = [run() for run in compared.values()]
    assert all(each == outputs[0] for each in outputs), "the subjects do not do the same"
    timed = {name: (lambda run=run: microseconds(run, batch)) for name, run in compared.items()}
    readings = interleave(timed, rounds)
    base = readings["plain functions, with JSON"]
    rows = [
        (name, f"{median(values):.1f}", f"{min(values):.1f}", f"{_above(values, base):+.1f}")
        for name, values in readings.items()
    ]
    title = f"engine: CPU µs of one run of sync_example (target: at most +{TARGET:g})"
    return table(title, ("", "median", "least", "above with JSON"), rows)


def _above(values: list[float], base: list[float]) -> float:
    return median(value - other for value, other in zip(values, base, strict=True))
