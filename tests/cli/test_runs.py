"""``siteswap runs …``: what is asked of runs, without a server."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from app import create_app
from app.config.settings import Settings
from app.runs.callback import delivery_id
from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runs.runner import Runner
from app.runtime.record import StepRecord
from tests.cli.shell import Shell, answer, refusal, siteswap

ORDER = """\
mode: async
callback: {url: "${inputs.tell}"}
inputs:
  item: {type: string, default: tea}
  pin: {type: string, secret: true, default: ""}
  path: {type: string, default: getOrderByNo}
  tell: {type: string, default: ""}
outputs:
  number: string
  pin: string
steps:
  - id: order
    http: GET /example/order/${inputs.path}
    query: {orderNo: "${inputs.item}", pin: "${inputs.pin}"}
  - http: GET /example/user/getUserById
  - return: {number: "${steps.order.body.orderNo}", pin: "${inputs.pin}"}
"""
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Runs(Shell):
    """A project folder with one flow. No server runs: ``runner`` plays its part."""

    def __init__(self, root: Path, **variables: str) -> None:
        super().__init__(root, **variables)
        self.settings = Settings.from_env(self.environ, root=root)
        self.flow("order", ORDER)
        self._app = create_app(self.settings)
        self._app.extensions["siteswap"].catalog.refresh()

    def flow(self, name: str, text: str) -> Path:
        """Write the first version of a flow."""
        return super().flow(f"{name}/v1", text)

    @property
    def runner(self) -> Runner:
        """The runner of a process that executes nothing of its own accord."""
        runner: Runner = self._app.extensions["siteswap"].runner
        return runner

    def accept(self, key: str = "order", **inputs: str) -> str:
        """Accept a run, which waits; its id."""
        return self.runner.trigger(key, "v1", lambda: inputs, dict).run_id

    def execute(self, run_id: str) -> str:
        """Run it to its end, here and now."""
        self.runner.execution.execute(run_id, "somebody")
        return run_id

    def claim(self, run_id: str) -> Claim:
        """Let another process have it under way."""
        claimed = self.runner.store.claim(run_id, "somebody", time.time())
        assert claimed is not None
        return claimed.claim

    def runs(self, *words: str) -> Result:
        """``siteswap runs <words>``."""
        return self.run("runs", *words)

    def close(self) -> None:
        """Let go of the store."""
        self._app.extensions["siteswap"].close(1.0)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Runs]:
    """A project that keeps its runs in a file."""
    made = Runs(tmp_path)
    yield made
    made.close()


def rows(done: Result) -> list[list[str]]:
    """The cells of a list, without its headings."""
    return [re.split(r"  +", line) for line in answer(done).splitlines()[1:]]


def test_list_without_runs(shell: Runs) -> None:
    """It says where it looked, instead of showing an empty table; looking makes no file."""
    store = f"file:{shell.root}/instance/runs.db"
    assert answer(shell.runs("list")) == f"No runs in {store}\n"
    assert answer(shell.runs("list", "--flow", "nobody")) == f"No matching runs in {store}\n"
    assert answer(shell.runs("list", "--json")) == "[]\n"
    assert not (shell.root / "instance").exists()


def test_list_shows_the_newest_first(shell: Runs) -> None:
    """One line a run: what it is, its state, when it was accepted, how long it took."""
    shell.flow("no", "mode: async\nsteps:\n  - fail: {message: no}\n")
    shell.runner.catalog.refresh()
    ended, failed = shell.execute(shell.accept()), shell.execute(shell.accept("no"))
    running = shell.accept()
    shell.claim(running)
    waiting = shell.accept()
    done = shell.runs("list")
    assert answer(done).splitlines()[0].split() == [
        "ID", "FLOW", "VERSION", "STATUS", "REASON", "ATTEMPT", "CREATED", "TOOK",
    ]  # fmt: skip
    assert [row[:6] for row in rows(done)] == [
        [waiting, "order", "v1", "INIT", "-", "0"],
        [running, "order", "v1", "RUNNING", "-", "1"],
        [failed, "no", "v1", "ABORT", "failed", "1"],
        [ended, "order", "v1", "FINISH", "-", "1"],
    ]
    assert all(re.fullmatch(MOMENT, row[6]) for row in rows(done))
    assert [row[7] == "-" for row in rows(done)] == [True, True, False, False]
    assert re.fullmatch(r"\d+\.\d{3} s", rows(done)[-1][7])


def test_list_chooses(shell: Runs) -> None:
    """By status, by flow, and how many at most; a word for a status in any case."""
    shell.flow("other", "mode: async\nsteps:\n  - return: {}\n")
    shell.runner.catalog.refresh()
    first, second, other = shell.accept(), shell.accept(), shell.accept("other")
    shell.execute(first)
    shell.execute(other)
    assert [row[0] for row in rows(shell.runs("list", "--status", "finish"))] == [other, first]
    assert [row[0] for row in rows(shell.runs("list", "--status", "INIT"))] == [second]
    assert [row[0] for row in rows(shell.runs("list", "--flow", "order"))] == [second, first]
    chosen = shell.runs("list", "--status", "FINISH", "--flow", "order", "--limit", "1")
    assert [row[0] for row in rows(chosen)] == [first]
    assert answer(shell.runs("list", "--flow", "nobody")).startswith("No matching runs in ")


def test_show_a_run_that_finished(shell: Runs) -> None:
    """Its facts, its outputs and its steps; a step without a name is called by its place."""
    shown = answer(shell.runs("show", shell.execute(instance := shell.accept())))
    expected = f"""\
{instance} FINISH
  flow      order v1
  attempt   1
  created   MOMENT
  started   MOMENT
  finished  MOMENT
  data      {{"number":"tea","pin":""}}

STEP   VERB  STATUS  STARTED                   TOOK     DETAIL
order  http  FINISH  MOMENT  TIME  GET /example/order/${{inputs.path}} → 200
1      http  FINISH  MOMENT  TIME  GET /example/user/getUserById → 200
"""
    pattern = re.escape(expected).replace("MOMENT", MOMENT).replace("TIME", r"\d\.\d{3} s")
    assert re.fullmatch(pattern, shown), shown


def test_show_a_run_that_waits(shell: Runs) -> None:
    """What has not happened yet is a dash, or is not there."""
    lines = answer(shell.runs("show", instance := shell.accept())).splitlines()
    assert lines[0] == f"{instance} INIT"
    assert [line.split() for line in lines[-2:]] == [["started", "-"], ["finished", "-"]]
    assert not any(line.split()[0] in ("data", "error", "callback") for line in lines)


def test_show_a_run_that_failed(shell: Runs) -> None:
    """Code, reason and message, and no secret among them.

    The secret is in the url that the message quotes, in the inputs and in the outputs.
    """
    instance = shell.execute(shell.accept(pin="hunter2", path="hunter2"))
    shown = answer(shell.runs("show", instance))
    assert re.search(
        r"^  error     1 failed: system error: step `order`: .*404", shown, re.MULTILINE
    )
    assert re.search(r"^order  http  ABORT ", shown, re.MULTILINE)
    assert "hunter2" not in shown
    finished = answer(shell.runs("show", shell.execute(shell.accept(pin="hunter2"))))
    assert '{"number":"tea","pin":"***"}' in finished
    assert "hunter2" not in finished


def test_what_a_run_says_cannot_steer_a_terminal(shell: Runs) -> None:
    """Control characters of a message are not written as they are."""
    failing = 'fail: {message: "${inputs.text}", code: 3}'
    shell.flow("loud", f"mode: async\ninputs: {{text: string}}\nsteps: [{{{failing}}}]\n")
    shell.runner.catalog.refresh()
    shown = answer(shell.runs("show", shell.execute(shell.accept("loud", text="\x1b[31m"))))
    assert re.search(r"^  error     3 failed: .*\[31m", shown, re.MULTILINE)
    assert "\x1b" not in shown


def test_show_a_step_that_is_under_way(shell: Runs) -> None:
    """It is running while a process has the run; afterwards its end is unknown."""
    claim = shell.claim(instance := shell.accept())
    shell.runner.store.record(claim, StepRecord("0", "order", "http", 1, time.time()))
    shown = answer(shell.runs("show", instance)).splitlines()[-1].split()
    assert (shown[0], shown[2], shown[4:]) == ("order", "RUNNING", ["-", "-"])
    answer(shell.runs("cancel", instance))
    assert answer(shell.runs("show", instance)).splitlines()[-1].split()[2] == "UNKNOWN"


def test_show_names_the_delivery_of_a_callback(shell: Runs) -> None:
    """The delivery is a run with an id of its own, and is shown like any other."""
    instance = shell.execute(shell.accept(tell="https://nowhere.example/?key=hunter2"))
    delivery = delivery_id(instance)
    shown = answer(shell.runs("show", instance))
    assert f"  callback  {delivery} INIT\n" in shown
    answer(shell.runs("cancel", delivery))
    assert f"  callback  {delivery} ABORT cancelled\n" in answer(shell.runs("show", instance))
    assert "hunter2" not in answer(shell.runs("show", delivery))


def test_show_cuts_what_is_long(shell: Runs) -> None:
    """Of very long outputs a line is shown, of very many steps the last ones."""
    store = shell.runner.store
    shell.execute(instance := shell.accept(item="x" * 5_000))
    [line] = [each for each in answer(shell.runs("show", instance)).splitlines() if "data" in each]
    assert line.endswith("xxx…")
    assert len(line) < 1_100
    claim = shell.claim(busy := shell.accept())
    for number in range(201):
        store.record(claim, StepRecord(str(number), "http", "http", 1, time.time()))
    lines = answer(shell.runs("show", busy)).splitlines()
    assert lines[-1] == "(the last 200 steps)"
    assert (lines[-201].split()[0], lines[-2].split()[0]) == ("1", "200")


def test_cancel_in_every_state(shell: Runs) -> None:
    """What has not ended ends; what has ended stays as it is; either may be said twice."""
    waiting, running, failed, ended = (shell.accept() for _ in range(4))
    shell.claim(running)
    store, now = shell.runner.store, time.time()
    store.complete(failed, None, Outcome(Status.ABORT, error_code=1, reason="failed"), now)
    shell.execute(ended)
    expected = {waiting: "ABORT cancelled", running: "ABORT cancelled", failed: "ABORT failed"}
    for instance, state in {**expected, ended: "FINISH"}.items():
        for _ in range(2):
            assert answer(shell.runs("cancel", instance)) == f"{instance} {state}\n"


def test_a_cancelled_run_is_not_run(shell: Runs) -> None:
    """Who claims it afterwards gets nothing; its poll tells why."""
    answer(shell.runs("cancel", instance := shell.accept()))
    shell.execute(instance)
    outcome = shell.runner.result(instance).outcome
    assert outcome is not None
    assert (outcome.error_code, outcome.reason) == (2000061010, "cancelled")


def test_retry_accepts_a_new_run_of_the_same_inputs(shell: Runs) -> None:
    """The id is the answer; what becomes of the run is said beside it."""
    first = shell.execute(shell.accept(item="coffee", pin="hunter2"))
    done = shell.runs("retry", first)
    assert done.exit_code == 0
    assert re.fullmatch(r"async_\w{16}\n", done.stdout)
    assert "if none runs, it waits for the next start" in done.stderr
    second = done.stdout.strip()
    assert second != first
    assert shell.runner.result(second).status is Status.INIT
    outcome = shell.runner.result(shell.execute(second)).outcome
    assert outcome is not None
    assert outcome.result == '{"number":"coffee","pin":"hunter2"}'


def test_retry_takes_the_flow_as_it_is_now(shell: Runs) -> None:
    """A flow that is gone, switched off, or wants other inputs says so."""
    instance = shell.execute(shell.accept())
    shell.flow("order", ORDER.replace("  item: {type: string, default: tea}", "  item: integer"))
    assert "item: " in refusal(shell.runs("retry", instance))
    shell.flow("order", f"enabled: false\n{ORDER}")
    assert "the flow is disabled" in refusal(shell.runs("retry", instance))
    (shell.root / "flows" / "order" / "v1.yaml").unlink()
    assert "no such flow" in refusal(shell.runs("retry", instance))


def test_a_run_whose_flow_is_gone_is_still_shown(shell: Runs) -> None:
    """Once it is unknown which of its inputs are secret, its outputs are not shown."""
    instance = shell.execute(shell.accept(pin="hunter2"))
    shell.flow("order", f"enabled: false\n{ORDER}")
    assert '"pin":"***"' in answer(shell.runs("show", instance))
    (shell.root / "flows" / "order" / "v1.yaml").unlink()
    shown = answer(shell.runs("show", instance))
    assert f"{instance} FINISH\n" in shown
    assert "hunter2" not in shown
    run, outcome = ended(1, time.time())
    shell.runner.store.add(replace(run, source="0"), "")
    shell.runner.store.complete(run.id, None, outcome, time.time())
    shown = answer(shell.runs("show", run.id))
    assert f"{run.id} FINISH\n" in shown
    assert "data" not in shown


def ended(number: int, at: float) -> tuple[RunRecord, Outcome]:
    """A run, and how it ended."""
    key = f"async_{number:016}"
    return RunRecord(key, "order", "v1", Status.INIT, at, "{}"), Outcome(Status.FINISH, "{}")


def test_prune_follows_the_settings(tmp_path: Path) -> None:
    """Ended runs go when they are too old, or more than are kept; what has not ended stays."""
    shell = Runs(tmp_path, RETENTION="1h", RETENTION_RUNS="10")
    store, now = shell.runner.store, time.time()
    ages = [7_200.0] * 205 + [float(age) for age in range(60, 0, -5)]
    for number, age in enumerate(ages):
        run, outcome = ended(number, now - age)
        store.add(run, "")
        store.complete(run.id, None, outcome, now - age)
    waiting = shell.accept()
    assert answer(shell.runs("prune")) == "207 runs dropped\n"
    assert answer(shell.runs("prune")) == "0 runs dropped\n"
    kept = [row[0] for row in rows(shell.runs("list", "--limit", "300"))]
    assert kept == [waiting, *(ended(number, now)[0].id for number in range(216, 206, -1))]
    shell.close()


@pytest.mark.parametrize("command", ["show", "cancel", "retry"])
@pytest.mark.parametrize("run_id", ["async_0000000000000000", "sync_0000000000000000", "x\n"])
def test_a_run_that_is_not_there(shell: Runs, command: str, run_id: str) -> None:
    """Unknown and malformed ids are one sentence and status 1."""
    said = refusal(shell.runs(command, run_id.strip()))
    assert said.startswith(f"{run_id.strip()}: no such run, or it is not kept any more")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show"], "Missing argument 'ID'"),
        (["cancel"], "Missing argument 'ID'"),
        (["retry"], "Missing argument 'ID'"),
        (["show", "a", "b"], "unexpected extra argument"),
        (["list", "--status", "DONE"], "'DONE' is not one of"),
        (["list", "--limit", "0"], "--limit"),
        (["list", "--limit", "many"], "--limit"),
        (["prune", "--all"], "No such option"),
        (["dance"], "No such command"),
        (["lst"], "Did you mean 'list'?"),
    ],
)
def test_a_wrong_command_line_has_status_2(shell: Runs, arguments: list[str], said: str) -> None:
    """What is wrong with the command line is said on standard error."""
    done = shell.runs(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["list"], ["show", "x"], ["retry", "x"], ["prune"]])
def test_the_memory_of_a_server_cannot_be_seen(tmp_path: Path, arguments: list[str]) -> None:
    """A command has no runs of a server that keeps them in its memory, and says so."""
    shell = Runs(tmp_path, STORE="memory:")
    assert "SITESWAP_STORE=memory:" in refusal(shell.runs(*arguments))
    shell.close()


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    """It is named, and left as it is."""
    (tmp_path / "notes.txt").write_text("not a database\n" * 100)
    shell = Runs(tmp_path, STORE="file:notes.txt")
    assert "notes.txt" in refusal(shell.runs("list"))
    assert (tmp_path / "notes.txt").read_text() == "not a database\n" * 100
    shell.close()


def test_a_store_that_is_busy(shell: Runs) -> None:
    """Another process holds the file for longer than a command waits."""
    instance = shell.accept()
    file = shell.settings.store.path
    assert file is not None
    with closing(sqlite3.connect(str(file), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = refusal(shell.runs("cancel", instance))
        assert said.startswith("busy: ")
        assert said.endswith(f"(file:{file})")


def test_lists_for_tools(shell: Runs) -> None:
    """``--json`` has the keys of the open API, and the delivery of the callback beside them."""
    ended = shell.execute(shell.accept(tell="https://nowhere.example/"))
    listed = json.loads(answer(shell.runs("list", "--json", "--status", "FINISH")))
    shown = json.loads(answer(shell.runs("show", ended, "--json")))
    assert [run["flowInstanceId"] for run in listed] == [ended]
    assert shown["callback"].pop("flowInstanceId") == delivery_id(ended)
    assert shown["callback"]["status"] == "INIT"
    assert [step["id"] for step in shown["steps"]] == ["order", "1"]
    for name in ("flowInstanceId", "flowKey", "flowVersion", "status", "attempt", "createdAt"):
        assert listed[0][name] == shown[name]


def test_the_commands_as_typed(shell: Runs) -> None:
    """From the executable to the file and back, with nothing but the answer in between."""
    instance = shell.execute(shell.accept())
    done = siteswap(shell.root, "runs", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith(f"{instance}  order  v1       FINISH  -")
    done = siteswap(shell.root, "runs", "show", "x")
    assert (done.returncode, done.stdout) == (1, "")
