"""``siteswap runs …`` beside a server: a command and the workers see the same runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.blackbox.client import eventually
from tests.blackbox.server import Server, serving
from tests.downstream import Downstream
from tests.pages import SITESWAP

TELLING = """\
mode: async
callback: {url: "${inputs.tell}"}
inputs:
  tell: string
outputs:
  n: integer
steps:
  - return: {n: 7}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that look for runs without an owner several times a second."""
    with serving(tmp_path_factory.mktemp("commands"), workers=2, LEASE="2s") as server:
        yield server


def siteswap_runs(server: Server, *arguments: str) -> str:
    """What ``siteswap runs <arguments>`` answers in the server's folder."""
    done = subprocess.run(
        [str(SITESWAP), "runs", *arguments],
        cwd=server.folder, env=server.environment,
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def test_a_retried_run_is_taken_by_a_server(server: Server) -> None:
    """The command runs nothing; whoever serves finds the new run and carries it out."""
    first = server.client.trigger("async_example").run_id
    server.client.ended(first)
    second = siteswap_runs(server, "retry", first).strip()
    assert second != first
    assert server.client.ended(second).envelope["result"] == {"userAge": 18}


def test_cancelling_what_a_worker_has_under_way(server: Server, gate: Downstream) -> None:
    """The run ends at once, for everybody, whatever its step still does."""
    instance = server.client.trigger("fetch_async", url=gate.url).run_id
    gate.wait_for(1)
    assert f"{instance}  fetch_async" in siteswap_runs(server, "list", "--status", "RUNNING")
    assert siteswap_runs(server, "cancel", instance) == f"{instance} ABORT cancelled\n"
    gate.is_open.set()
    assert server.client.poll(instance).outcome == (200, 2000061010)
    assert re.search(
        r"^call +http +UNKNOWN ", siteswap_runs(server, "show", instance), re.MULTILINE
    )


def test_the_delivery_of_a_callback_is_shown(server: Server) -> None:
    """Its id leads to a run of its own, which shows what was sent where to, without the address."""
    server.write_flow("telling", TELLING)
    with Downstream() as recorder:
        tell = f"{recorder.url}/done?key=hunter2"
        answer = eventually(
            lambda: server.client.trigger("telling", tell=tell), lambda found: found.status == 200
        )
        server.client.ended(answer.run_id)
        eventually(lambda: recorder.requests, bool, 10)
        shown = eventually(
            lambda: siteswap_runs(server, "show", answer.run_id),
            lambda text: re.search(r"^  callback  async_\w{16} FINISH$", text, re.MULTILINE),
            10,
        )
    delivery = re.findall(r"callback  (\w+)", shown)[0]
    shown = siteswap_runs(server, "show", delivery)
    assert "siteswap-callback v1" in shown
    assert re.search(r"^post +http +FINISH .* → 200$", shown, re.MULTILINE)
    assert "hunter2" not in shown
    assert f'"flowInstanceId":"{answer.run_id}"'.encode() in recorder.requests[-1]
