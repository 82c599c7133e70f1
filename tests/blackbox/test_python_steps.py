"""``python`` steps behind gunicorn: warm, beside other requests, and ended with their worker."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.blackbox.client import eventually
from tests.blackbox.server import Server, serving
from tests.python.test_pool import is_gone

CODE = """
timeout: 20s
inputs: {{code: {{type: string, default: x}}, n: {{type: integer, default: 0}}}}
outputs: {{r: object}}
{mode}
steps:
  - set: {{unused: "${{inputs}}"}}
  - id: x
    timeout: {timeout}
    python: |
{lines}
  - return: {{r: "${{ {{'value': steps.x}} }}"}}
"""
ENDLESS = "import os\nopen(inputs['code'], 'w').write(str(os.getpid()))\nwhile True: pass"


def write_code(server: Server, key: str, code: str, timeout: str = "15s", mode: str = "") -> None:
    """A flow that runs this code, once the server knows it."""
    lines = "\n".join(f"      {line}" for line in code.split("\n"))
    server.write_flow(key, CODE.format(lines=lines, timeout=timeout, mode=mode))
    eventually(lambda: server.client.trigger(key, code="").status, lambda status: status != 404)


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker whose authors are trusted."""
    folder = tmp_path_factory.mktemp("trusting")
    with serving(folder, PYTHON_STEPS="on", SECRET_KEY="top-secret") as server:
        yield server
    assert "Traceback" not in server.log
    assert "top-secret" not in server.log


def test_code_is_run_warm(trusting: Server) -> None:
    """One process serves request after request; data goes in and comes out."""
    write_code(trusting, "pid", "import os\nreturn [os.getpid(), inputs['n'] + 1]")
    answers = [trusting.client.trigger("pid", n=n).data["r"]["value"] for n in range(10)]
    assert [n for _, n in answers] == list(range(1, 11))
    assert len({pid for pid, _ in answers}) == 1


def test_prints_and_failures(trusting: Server) -> None:
    """Prints are in the server's log, masked; a failure names its line and shows no traceback."""
    write_code(trusting, "bad", "print('KEY is', secrets['KEY'])\nraise ValueError(secrets['KEY'])")
    answer = trusting.client.trigger("bad")
    assert (answer.status, answer.envelope["errorCode"]) == (500, 1)
    assert answer.message.endswith("step `x`: ValueError: *** (line 12 of the file)")
    assert f"{answer.run_id}: KEY is ***" in trusting.log


def test_other_requests_do_not_wait_for_code(trusting: Server) -> None:
    """While code sleeps, computes or never ends, the worker serves; the deadline ends the code."""
    write_code(trusting, "slow", "if inputs['code']:\n  while True: pass", timeout="2s")
    with ThreadPoolExecutor(2) as callers:
        began = time.monotonic()
        endless = [callers.submit(trusting.client.trigger, "slow") for _ in range(2)]
        served = 0
        while not all(each.done() for each in endless):
            assert trusting.client.trigger("echo", text="a").data["text"] == "a"
            served += 1
        assert served > 20
        assert time.monotonic() - began < 15
        for each in endless:
            assert "took longer than 2 s: the code was stopped" in each.result().message
    assert trusting.client.trigger("slow", code="").outcome == (200, 0)


def test_a_large_input_and_output(trusting: Server) -> None:
    """More than a pipe holds, both ways, beside each other."""
    write_code(trusting, "large", "return inputs['code'] * 4")
    text = "ü" * 200_000
    with ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(trusting.client.trigger, "large", code=text) for _ in range(4)]
        assert all(call.result().data["r"]["value"] == text * 4 for call in calls)


def test_an_async_run_executes_code(trusting: Server) -> None:
    """It is a step like ``http`` in the journal."""
    write_code(trusting, "later", "return inputs['n'] * 2", mode="mode: async")
    instance = trusting.client.trigger("later", n=21).run_id
    assert trusting.client.ended(instance).envelope["result"]["r"] == {"value": 42}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_their_worker(tmp_path: Path, how: signal.Signals) -> None:
    """Also a busy one, and also when the worker is killed without a word."""
    with serving(tmp_path, PYTHON_STEPS="on") as server:
        write_code(server, "pid", "import os\nreturn os.getpid()")
        idle = server.client.trigger("pid").data["r"]["value"]
        write_code(server, "endless", f"if inputs['code']:\n  exec({ENDLESS!r})", timeout="5s")
        file = tmp_path / "busy"
        with ThreadPoolExecutor(2) as callers:
            holders = [callers.submit(_ignoring, server, str(file) + end) for end in ("", "2")]
            busy = [eventually(lambda f=f: _pid(f), bool) for f in (file, Path(f"{file}2"))]
            assert idle in busy
            assert len(set(busy)) == 2
            os.kill(server.workers[0], how)
            eventually(lambda: [pid for pid in busy if not is_gone(pid)], lambda left: not left)
            for holder in holders:
                holder.result()


def _ignoring(server: Server, file: str) -> None:
    """Run endless code, whose worker may be killed before it has answered."""
    with contextlib.suppress(OSError, AssertionError, ValueError):
        server.client.trigger("endless", code=file)


def _pid(file: Path) -> int:
    return int(file.read_text() or 0) if file.exists() else 0


def test_it_is_off_by_default(tmp_path: Path) -> None:
    """The flow is not served, and the server's log says how to switch it on."""
    with serving(tmp_path) as server:
        server.write_flow("code", "steps:\n  - python: return 1\n")
        eventually(lambda: server.log, lambda log: "set SITESWAP_PYTHON_STEPS=on" in log)
        assert server.client.trigger("code").status == 404
