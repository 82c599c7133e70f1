"""``python`` in flows: what code reads, what comes of its result, its prints and its failures."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import pytest

from app.catalog.loader import load_flow
from app.engine.interpreter import Interpreter
from app.errors import FlowFailed, FlowTimeout
from app.language.environment import Environment
from app.language.inputs import coerce
from app.python.contract import PythonCall, PythonFailure, PythonResult
from app.python.pool import PythonPool
from app.runtime.trace import Trace
from tests.engine.world import World, json_answer, program


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world with real processes and a real clock."""
    world = World(secrets={"KEY": "top-secret"}, env={"REGION": "eu"})
    pool = PythonPool(size=2, memory=512_000_000, environ=os.environ, monotonic=time.monotonic)
    world.dependencies = replace(world.dependencies, python=pool, monotonic=time.monotonic)
    yield world
    pool.close()


class Recorder:
    """Runs nothing, keeps the calls, and gives the answers of the test."""

    def __init__(self, *answers: PythonResult) -> None:
        self.calls: list[PythonCall] = []
        self._answers = iter(answers)

    def run(self, call: PythonCall) -> PythonResult:
        self.calls.append(call)
        return next(self._answers, PythonResult(value=len(self.calls)))

    def close(self) -> None:
        pass


def recorded(
    text: str, *answers: PythonResult, **given: Any
) -> tuple[list[PythonCall], dict[str, Any]]:
    """The calls of a run that runs no code, and its outputs."""
    recorder = Recorder(*answers)
    world = World([json_answer('{"id": 7}')] * 3, python=recorder, secrets={"A": "aaa", "B": "b"})
    return recorder.calls, world.run(text, **given)


def test_the_code_reads_every_root(world: World) -> None:
    """Inputs, results, variables and the rest are plain data under the names of expressions."""
    text = """
        inputs: {a: integer}
        outputs: {r: object}
        steps:
          - id: one
            python: "return {'b': inputs['a'] + 1}"
          - set: {c: 3}
          - id: two
            python: |
              return {
                  "inputs": inputs, "one": steps["one"]["b"], "c": vars["c"], "env": env,
                  "secret": secrets["KEY"][:3], "flow": flow["key"], "request": request["method"],
              }
          - return: {r: "${steps.two}"}
    """
    flow = program(text)
    request = {"method": "GET"}
    inputs = coerce(flow.flow.inputs, {"a": 1})
    assert flow.reads_request
    assert Interpreter(world.dependencies).run(flow, inputs, request, "sync_1")["r"] == {
        "inputs": {"a": 1}, "one": 2, "c": 3, "env": {"REGION": "eu"}, "secret": "top",
        "flow": "test", "request": "GET",
    }  # fmt: skip


def test_the_code_reads_loops_and_errors(world: World) -> None:
    """``item``, ``index`` and ``error`` are there where expressions can read them."""
    text = """
        outputs: {rows: list, note: string}
        steps:
          - id: rows
            for_each: "[5, 6]"
            collect: steps.x
            steps:
              - id: x
                python: return [index, item * 2]
          - python: return 1 / 0
            on_error:
              - id: note
                python: return error["kind"] + " " + error["message"]
              - return: {rows: "${steps.rows}", note: "${steps.note}"}
    """
    assert world.run(text) == {
        "rows": [[0, 10], [1, 12]],
        "note": "python ZeroDivisionError: division by zero (line 10 of the file)",
    }


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        ("return 1", {}),
        ("return inputs['a']", {"inputs": {"a": 1}}),
        ("return inputs.get('b', 0)", {"inputs": {"b": 2}}),
        ("return inputs", {"inputs": {"a": 1, "b": 2}}),
        ("return inputs['a'], len(inputs)", {"inputs": {"a": 1, "b": 2}}),
        ("return inputs[str(vars)]", {"inputs": {"a": 1, "b": 2}, "vars": {"v": 3}}),
        ("return steps['user']['body']['id']", {"steps": {"user": {"body": {"id": 7}}}}),
        ("return secrets['A']", {"secrets": {"A": "aaa"}}),
        ("inputs = inputs['a']\nreturn inputs", {"inputs": {"a": 1}}),
        ("steps = []\nfor item in steps: index = item\nreturn steps", {}),
        ("return [item for index, item in enumerate([])]", {}),
        ("def f(inputs, *, vars): return inputs, vars\nreturn f(1, vars=2)", {}),
        ("import request, flow as env\nreturn request, env", {}),
        ("try: pass\nexcept Exception as error: print(error)", {}),
        ("return (lambda item: item)(1)", {}),
        ("match 1:\n  case item: return item", {}),
        ("item: int = 1\nreturn item", {}),
        ("if (index := 1): return index", {}),
        ("match {}:\n  case {**item}: return item", {}),
        ("f = lambda vars=vars['v']: vars\nreturn f()", {"vars": {"v": 3}}),
        ("class flow: inputs = 1\nreturn flow.inputs, inputs['a']", {"inputs": {"a": 1}}),
        ("inputs['a'] = 5\nreturn inputs", {"inputs": {"a": 1, "b": 2}}),
        ("return f\"{vars['v']}\"", {"vars": {"v": 3}}),
    ],
)
def test_only_what_is_read_is_sent(code: str, sent: dict[str, Any]) -> None:
    """Names of roots that the code gives values to are its own; single fields are sent alone."""
    lines = "".join(f"\n      {line}" for line in code.split("\n"))
    text = f"""
inputs: {{a: integer, b: integer}}
steps:
  - set: {{v: 3, w: "${{inputs}}"}}
  - id: user
    http: GET https://api.example.com/user
  - id: other
    http: GET https://api.example.com/other
  - python: |{lines}
"""
    (call,), _ = recorded(text, a=1, b=2)
    data = {root: dict(value) for root, value in call.data.items()}
    if "steps" in data:
        data["steps"]["user"] = {"body": data["steps"]["user"]["body"]}
    if data.get("vars", {}).pop("w", None):
        assert "str(vars)" in code
    assert data == sent


def test_a_step_without_a_return_gives_null() -> None:
    """As a function does in Python."""
    text = """
        outputs: {r: object}
        steps:
          - id: x
            python: pass
          - return: {r: "${steps.x}"}
    """
    assert recorded(text, PythonResult())[1] == {"r": None}


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (PythonFailure("E: top-secret", 2), r"step `x`: E: \*\*\* \(line 7 of the file\)$"),
        (PythonFailure("its process ended by SIGSEGV"), "step `x`: its process ended by SIGSEGV$"),
        (PythonFailure("E: " + "é" * 50_000, 1), r"step `x`: E: é{997} \(line 6 of the file\)$"),
    ],
)
def test_a_failure_is_one_of_the_step(failure: PythonFailure, sentence: str) -> None:
    """It has the line of the flow's file, secrets masked, and is bounded."""
    text = """
        # the file's first lines
        steps:
          - id: x
            python: |
              pass
              raise E
    """.lstrip("\n")
    world = World(python=Recorder(PythonResult(failure=failure)), secrets={"KEY": "top-secret"})
    with pytest.raises(FlowFailed, match=sentence):
        world.run("\n" + text)


@pytest.mark.parametrize(
    ("flow", "line"),
    [
        ("steps:\n  - python: return 1 / 0\n", 2),
        ("steps:\n  - python: |\n\n      # a comment\n      x = 1\n      return x / 0\n", 6),
        ('steps:\n  - python: "x = 1\\nreturn x / 0"\n', 2),
        ("steps:\n  - if: 1 < 2\n    then:\n      - for_each: '[1]'\n        steps:\n"
         "          - python: |\n              x = 1\n\n              return x / 0\n", 9),
        ("steps:\n  - switch:\n      - else:\n          - python: |\n              1 / 0\n", 5),
        ("steps:\n  - python: 1 / 0\n    on_error:\n      - python: |-\n          [][1]\n", 5),
    ],
)  # fmt: skip
def test_the_line_is_that_of_the_file(world: World, flow: str, line: int) -> None:
    """However deep the step stands, and however its text is written."""
    with pytest.raises(FlowFailed, match=rf"\(line {line} of the file\)"):
        world.run(flow)


def test_the_deadline_of_the_step_and_of_the_flow(world: World) -> None:
    """A step that is too slow fails, a flow that is too slow ends; either in time."""
    loop = "timeout: {}\nsteps:\n  - id: x\n    python: 'while True: pass'\n    timeout: {}\n"
    began = time.monotonic()
    with pytest.raises(FlowFailed, match=r"took longer than 0\.3 s: the code was stopped"):
        world.run(loop.format("10s", "300ms"))
    with pytest.raises(FlowTimeout, match=r"step `x`: the flow took longer than 0\.3 s"):
        world.run(loop.format("300ms", "10s"))
    assert time.monotonic() - began < 8


def test_prints_are_lines_of_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """With the flow and the instance before each, masked, and not more than is bearable."""
    text = """
        steps:
          - python: |
              print("key", secrets["KEY"])
              print("a\\x1b[31m\\rb")
              print("y" * 30_000)
    """
    with caplog.at_level(logging.INFO):
        world.run(text)
    where = "test/v1 sync_0123456789abcdef: "
    lines = [record.getMessage().removeprefix(where) for record in caplog.records]
    assert lines[:3] == ["key ***", "a\\u001b[31m", "b"]
    assert lines[3] == "y" * 4_000 + "…"
    caplog.clear()
    with caplog.at_level(logging.INFO):
        world.run("steps:\n  - python: \"print('\\\\n' * 5_000)\"\n")
    assert len(caplog.records) == 101
    assert caplog.messages[-1] == f"{where}… (more was printed)"


def test_retry_repeats_what_failed() -> None:
    """Exceptions are repeated by default, once the author has said that it does no harm."""
    text = """
        outputs: {r: integer}
        steps:
          - id: x
            python: return 1
            retry: {times: 2, delay: 1ms, idempotent: true}
          - return: {r: "${steps.x}"}
    """
    failed = PythonResult(failure=PythonFailure("E", 1))
    calls, outputs = recorded(text, failed, failed, PythonResult(value=5))
    assert (len(calls), outputs) == (3, {"r": 5})


def test_a_trace_shows_the_result(world: World) -> None:
    """As of any other step."""
    trace = Trace()
    world.run("steps:\n  - id: x\n    python: return [secrets['KEY']]\n", trace)
    assert [(entry.label, entry.verb, entry.value) for entry in trace.entries] == [
        ("x", "python", ["***"])
    ]


@pytest.mark.parametrize("depth", [90, 300, 900, 5_000, 60_000])
@pytest.mark.parametrize("shape", ["return {}1", "return {}1{}", "x = {}0"])
def test_code_of_any_depth_is_read_or_refused(depth: int, shape: str) -> None:
    """Loading never fails in another way than with a finding."""
    opening = {"return {}1": "1 +", "return {}1{}": "(", "x = {}0": "not "}[shape] * depth
    text = f"steps:\n  - python: {shape.format(opening, ')' * depth)}\n"
    loaded = load_flow(PurePath("test/v1.yaml"), text, Environment())
    assert all(
        diagnostic.code in ("python-syntax", "too-large") for diagnostic in loaded.diagnostics
    )
    assert loaded.flow is not None or loaded.diagnostics


def test_it_is_off_unless_it_is_on() -> None:
    """Where authors are not trusted, a flow with code is not served, and the error says why."""
    text = "steps:\n  - python: return 1\n  - python: return 2\n"
    path = PurePath("test/v1.yaml")
    off = load_flow(path, text, Environment(runs_python=False))
    assert off.flow is None
    (diagnostic,) = off.diagnostics
    assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("switched-off", 2, 5)
    assert "SITESWAP_PYTHON_STEPS=on" in (diagnostic.hint or "")
    assert load_flow(path, text, Environment(runs_python=True)).diagnostics == ()
    assert load_flow(path, text, Environment()).diagnostics == ()
