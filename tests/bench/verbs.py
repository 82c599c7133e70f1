"""*verbs*: what a step of each verb costs, in process; loops, branches and sub-flows beside their
bodies.

The cost of a step is that of a flow with many of them, less that of a flow with one, by the number
between. So what every run costs is not in it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from statistics import median
from tempfile import TemporaryDirectory
from types import MappingProxyType

from app.catalog.loader import link, read_flow
from app.engine.interpreter import Interpreter
from app.http.message import Request, Response
from app.language.environment import Environment
from app.language.inputs import coerce
from app.python.pool import PythonPool
from app.runtime.program import Program
from app.runtime.scope import Dependencies
from app.runtime.threads import ThreadPool
from tests.bench.engine import microseconds, stub_tools
from tests.bench.rounds import interleave
from tests.bench.table import table
from tests.database import suite

ROUNDS = 15
MEMORY = 512_000_000
MANY = 100
ITEMS = 1_000
CALLS, CALL_SECONDS = 10, 0.1
LOOP_TARGET, CALL_TARGET, PARALLEL_TARGET = 10.0, 30.0, 130.0
"""µs an item above its body, µs a call above its steps, ms for ten calls of 100 ms."""

HEAD = "inputs: {n: {type: integer, default: 7}}\noutputs: {x: integer}\nsteps:\n"
STEPS: Mapping[str, str] = MappingProxyType(
    {
        "set": "  - set: {x: '${inputs.n}'}\n",
        "if": "  - {if: inputs.n == 7, then: [], else: []}\n",
        "switch": "  - switch: [{when: inputs.n == 7, then: []}]\n",
        "log": "  - log: ${inputs.n}\n",
        "http, to a function": "  - http: GET /user?id=${inputs.n}\n",
        "for_each, empty": "  - {for_each: '[]', steps: [{set: {x: 1}}]}\n",
        "repeat, one round": "  - {repeat: {until: true}, steps: [{set: {x: 1}}]}\n",
        "parallel, two branches": "  - parallel: {a: [{set: {x: 1}}], b: [{set: {y: 1}}]}\n",
        "try": "  - {try: [{set: {x: 1}}]}\n",
        "check": "  - {check: inputs.n, schema: integer}\n",
        "sql, on SQLite": "  - {sql: select :n, mode: value, params: {n: '${inputs.n}'}}\n",
        "python, warm; its process apart": "  - python: return inputs['n']\n",
        "call": "  - {call: sub/v1, with: {n: '${inputs.n}'}}\n",
    }
)
SUB = "inputs: {n: integer}\noutputs: {x: integer}\nsteps:\n"
BODY = "  - set: {x: '${inputs.n + 1}'}\n  - set: {y: '${vars.x + 1}'}\n"
RETURN = "  - return: {x: '${vars.y}'}\n"


class _Answers:
    """Answers at once, or after a time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._answer = Response(200, {"content-type": "application/json"}, b'{"id":1}')

    def send(self, _: Request) -> Response:
        """The answer to everything."""
        if self._seconds:
            time.sleep(self._seconds)
        return self._answer


def program(text: str) -> Program:
    """A flow that may call ``sub/v1``."""
    texts = {"bench/v1": text, "sub/v1": SUB + BODY + RETURN}
    drafts = [read_flow(PurePath(f"{name}.yaml"), each) for name, each in texts.items()]
    compiled = link(drafts, {}, Environment())[0]
    assert compiled.program, compiled.diagnostics
    return compiled.program


def runner(text: str, dependencies: Dependencies) -> Callable[[], object]:
    """A function that runs a flow once."""
    made, interpreter = program(text), Interpreter(dependencies)
    inputs = coerce(made.flow.inputs, {})
    return lambda: interpreter.run(made, inputs, {}, "sync_0123456789abcdef")


def report() -> str:
    """Measure, and say it in two tables."""
    with TemporaryDirectory() as folder:
        shop = suite.World(Path(folder), {"shop": suite.declare("sqlite:///shop.db")})
        python = PythonPool(size=2, memory=MEMORY, environ=os.environ, monotonic=time.monotonic)
        dependencies = replace(
            stub_tools(_Answers()),
            thread_pool=ThreadPool(50),
            databases=shop.databases,
            python=python,
        )
        try:
            return f"{_steps(dependencies)}\n{_bodies(dependencies)}"
        finally:
            python.close()
            shop.databases.close()


def _steps(dependencies: Dependencies) -> str:
    subjects = {}
    for name, step in STEPS.items():
        subjects[name] = _timed(runner(HEAD + step * MANY, dependencies))
        subjects[f"{name} 1"] = _timed(runner(HEAD + step, dependencies))
    readings = interleave(subjects, ROUNDS)
    rows = []
    for name in STEPS:
        pairs = zip(readings[name], readings[f"{name} 1"], strict=True)
        costs = [(many - one) / (MANY - 1) for many, one in pairs]
        rows.append((name, f"{median(costs):.2f}", f"{min(costs):.2f}"))
    return table("verbs: CPU µs of one step", ("", "median", "least"), rows)


def _timed(run: Callable[[], object], count: int = 20) -> Callable[[], float]:
    return lambda: microseconds(run, count)


def _bodies(dependencies: Dependencies) -> str:
    looped = f"  - {{for_each: {list(range(ITEMS))}, steps: [{{set: {{x: '${{item}}'}}}}]}}\n"
    unrolled = "".join(f"  - set: {{x: '${{{number}}}'}}\n" for number in range(ITEMS))
    calls = "  - {call: sub/v1, with: {n: '${inputs.n}'}}\n" * MANY
    readings = interleave(
        {
            "loop": _timed(runner(HEAD + looped, dependencies), 3),
            "at once": _timed(
                runner(HEAD + looped.replace("steps:", "concurrency: 5, steps:"), dependencies), 3
            ),
            "unrolled": _timed(runner(HEAD + unrolled, dependencies), 3),
            "calls": _timed(runner(HEAD + calls, dependencies), 3),
            "inline": _timed(
                runner(HEAD + (BODY + "  - set: {z: '${vars.y}'}\n") * MANY, dependencies), 3
            ),
            "parallel": _parallel(dependencies),
        },
        ROUNDS,
    )
    rows = [
        _above(
            "for_each, µs an item above its body", readings, "loop", "unrolled", ITEMS, LOOP_TARGET
        ),
        _above("… five at once", readings, "at once", "unrolled", ITEMS, LOOP_TARGET),
        _above("call, µs above its steps", readings, "calls", "inline", MANY, CALL_TARGET),
        _row("parallel, ms for ten calls of 100 ms", readings["parallel"], PARALLEL_TARGET),
    ]
    return table("verbs: beside their bodies", ("", "median", "least", "most", "target"), rows)


def _parallel(dependencies: Dependencies) -> Callable[[], float]:
    branches = ", ".join(f"b{number}: [{{http: GET /slow}}]" for number in range(CALLS))
    slow = replace(dependencies, transport=_Answers(CALL_SECONDS))
    run = runner(f"{HEAD}  - parallel: {{{branches}}}\n", slow)

    def milliseconds() -> float:
        began = time.perf_counter()
        run()
        return (time.perf_counter() - began) * 1e3

    return milliseconds


def _above(
    title: str, readings: Mapping[str, list[float]], name: str, base: str, count: int, target: float
) -> tuple[str, ...]:
    pairs = zip(readings[name], readings[base], strict=True)
    return _row(title, [(value - other) / count for value, other in pairs], target)


def _row(title: str, values: list[float], target: float) -> tuple[str, ...]:
    shown = (f"{value:.1f}" for value in (median(values), min(values), max(values)))
    return title, *shown, f"{target:g}"
