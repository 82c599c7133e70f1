"""The version that started a run finishes it, whatever became of its file meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.blackbox.client import eventually
from tests.chaos.fleet import fleet, kill_group
from tests.chaos.judge import ended, word
from tests.chaos.sink import Sink

NEW = """\
name: Another flow under the same name
mode: async
inputs:
  sink: string
  tag: string
outputs:
  version: string
steps:
  - id: other
    http: POST ${inputs.sink}/effect/${flow.instanceId}/other
    json: {tag: "${inputs.tag}"}
  - return:
      version: new
"""


def changed(flow: Path) -> None:
    """The file says something else."""
    (flow / "v1.yaml").write_text(NEW)


def broken(flow: Path) -> None:
    """The file cannot be read."""
    (flow / "v1.yaml").write_text("steps: [")


def gone(flow: Path) -> None:
    """The flow is deleted."""
    shutil.rmtree(flow)


@pytest.mark.parametrize("change", [changed, broken, gone])
def test_the_file_changes_in_the_middle(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Everything is killed in the middle of a run; it goes on with the steps it began with."""
    with Sink() as sink, fleet(tmp_path, workers=1, LEASE="1s") as servers:
        run = servers.client.trigger("held", sink=sink.url, tag="a").run_id
        eventually(lambda: sink.of(run, "two"), bool)
        change(tmp_path / "flows" / "held")
        kill_group(servers.server)
        servers.start()
        eventually(lambda: sink.of(run, "two"), lambda effects: len(effects) == 2)
        sink.opened.set()
        answer = ended(servers.client, run, 60)
        assert (word(answer), answer.envelope["result"]) == ("FINISH", {"version": "old"})
        assert [effect.step for effect in sink.of(run)] == ["one", "two", "two", "three"]
        assert len({effect.key for effect in sink.of(run, "two")}) == 1
        if change is changed:
            run = servers.client.trigger("held", sink=sink.url, tag="b").run_id
            assert ended(servers.client, run, 60).envelope["result"] == {"version": "new"}
