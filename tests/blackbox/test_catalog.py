"""Flow files that come, change, break and go while the server serves."""

from __future__ import annotations

import operator
import subprocess
import threading
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.blackbox.client import Answer, Client, eventually
from tests.blackbox.server import Server
from tests.pages import SITESWAP

SECONDS = 2.5
"""A change is noticed within two seconds; half a second is for a busy machine."""
FLOW = """\
outputs:
  text: string
steps:
  - return: {{text: "{}"}}
"""
BROKEN = """\
outputs:
  text: string
steps:
  - retrun: {text: "a secret?"}
"""


@pytest.fixture
def key(server: Server) -> Iterator[str]:
    """A flow key of this test's own; its file is gone afterwards."""
    key = f"flow_{uuid.uuid4().hex}"
    yield key
    (server.flows / key / "v1.yaml").unlink(missing_ok=True)


def served(server: Server, key: str, outcome: tuple[int, int], text: str | None = None) -> None:
    """Both workers answer so, soon."""

    def answers() -> list[Answer]:
        found = []
        for worker in server.workers:
            with server.only(worker):
                found.append(server.client.trigger(key))
        return found

    def is_so(answer: Answer) -> bool:
        result = answer.envelope["result"]
        return answer.outcome == outcome and (text is None or result["data"] == {"text": text})

    eventually(answers, lambda found: all(map(is_so, found)), SECONDS)


def broken_files(client: Client) -> list[dict[str, Any]]:
    """What ``/health`` says is broken."""
    answer = client.get("/health")
    assert answer.status == 200
    result = answer.envelope["result"]
    assert result["status"] == ("degraded" if result["broken"] else "up")
    files: list[dict[str, Any]] = result["broken"]
    return files


def test_a_file_comes_changes_and_goes(server: Server, key: str) -> None:
    """Each is noticed by every worker within two seconds, without a restart."""
    assert server.client.trigger(key).outcome == (404, 2000061001)
    file = server.write_flow(key, FLOW.format("one"))
    served(server, key, (200, 0), "one")
    server.write_flow(key, FLOW.format("two"))
    served(server, key, (200, 0), "two")
    file.write_text(FLOW.format("three"))
    served(server, key, (200, 0), "three")
    file.unlink()
    served(server, key, (404, 2000061001))


def test_a_flow_is_switched_off_and_on(server: Server, key: str) -> None:
    """``enabled`` in the file is the switch."""
    server.write_flow(key, "enabled: false\n" + FLOW.format("a"))
    served(server, key, (403, 2000061003))
    server.write_flow(key, "enabled: true\n" + FLOW.format("a"))
    served(server, key, (200, 0), "a")


def test_another_version(server: Server, key: str) -> None:
    """A copy of a file is a version beside it; the first one is served on."""
    first = server.write_flow(key, FLOW.format("one"))
    second = first.with_name("v2.yaml")
    second.write_text(FLOW.format("two"))
    client, target = server.client, f"/v1/open/flow/trigger/v2/{key}"
    eventually(lambda: client.post(target, {}), lambda answer: answer.status == 200, SECONDS)
    served(server, key, (200, 0), "one")
    second.unlink()


def test_a_file_that_breaks(server: Server, client: Client, key: str) -> None:
    """Its last good version is served; the log, ``/health`` and ``flow list`` say so."""
    server.write_flow(key, FLOW.format("good"))
    served(server, key, (200, 0), "good")
    server.write_flow(key, BROKEN)
    [entry] = eventually(lambda: broken_files(client), bool, SECONDS)
    assert entry == {
        "file": f"{key}/v1.yaml",
        "served": True,
        "errors": [{"line": 4, "column": 5, "code": "unknown-verb"}],
    }
    logged = f"flows/{key}/v1.yaml has errors; its last good version is still served"
    eventually(lambda: server.log.count(logged), lambda times: times == 2, SECONDS)
    assert "write `return` instead" in server.log
    served(server, key, (200, 0), "good")

    server.write_flow(key, FLOW.format("mended"))
    served(server, key, (200, 0), "mended")
    eventually(lambda: broken_files(client), lambda files: not files, SECONDS)
    assert server.log.count(logged) == 2, "each worker says it once"


def test_a_file_that_was_never_good(server: Server, client: Client, key: str) -> None:
    """It is no flow, and harms no other."""
    server.write_flow(key, BROKEN)
    [entry] = eventually(lambda: broken_files(client), bool, SECONDS)
    assert entry["served"] is False
    answer = client.trigger(key)
    assert answer.outcome == (404, 2000061001)
    assert client.trigger("echo", text="a").data["text"] == "a"
    assert listed(server)[key] == "broken (1 error)"


def test_a_folder_that_goes_for_a_moment(server: Server, client: Client, key: str) -> None:
    """While the flows folder is replaced, its flows are served on."""
    logged = "cannot read the flows folder"
    aside = server.flows.rename(server.flows.with_name("aside"))
    try:
        eventually(lambda: server.log.count(logged), lambda times: times == 2, SECONDS)
        assert client.trigger("echo", text="a").data["text"] == "a"
    finally:
        aside.rename(server.flows)
    server.write_flow(key, FLOW.format("back"))
    served(server, key, (200, 0), "back")


def test_no_request_is_dropped_while_files_change(server: Server, key: str) -> None:
    """A caller that calls all the time sees the old version or the new one, never an error."""
    texts = [str(number) for number in range(20)]
    server.write_flow(key, FLOW.format(texts[0]))
    served(server, key, (200, 0), texts[0])
    seen: list[Answer] = []
    stopped = threading.Event()

    def call() -> None:
        while not stopped.is_set():
            seen.append(server.client.trigger(key))

    caller = threading.Thread(target=call)
    caller.start()
    try:
        for text in texts[1:]:
            enough = len(seen) + 10
            server.write_flow(key, FLOW.format(text))
            eventually(lambda: len(seen), partial(operator.le, enough))
        served(server, key, (200, 0), texts[-1])
    finally:
        stopped.set()
        caller.join()
    assert {answer.data["text"] for answer in seen} <= set(texts)
    assert len({answer.data["text"] for answer in seen}) > 1


def listed(server: Server) -> dict[str, str]:
    """``siteswap list``: flow → state, of first versions."""
    command = [str(SITESWAP), "list"]
    output = subprocess.run(
        command,
        cwd=server.folder,
        env=server.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [line.split(maxsplit=3) for line in output.splitlines() if " v1 " in line]
    return {row[0]: row[3].partition("  ")[0] for row in rows}


def test_the_list_of_flows(server: Server) -> None:
    """``siteswap list`` needs no configuration in the folder and shows each state."""
    states = listed(server)
    assert states["echo"] == "enabled"
    assert states["disabled"] == "disabled"
    assert set(states.values()) == {"enabled", "disabled"}
