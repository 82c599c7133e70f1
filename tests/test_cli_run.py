"""``flask run …``: runs on the command line, and Flask's development server where it always was."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import Result
from flask import Flask
from flask.cli import FlaskGroup

from app import create_app
from app.cli.runs import run_group
from app.config.settings import Settings
from app.runs.callback import delivery_id
from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runs.runner import Runner
from app.runtime.record import StepRecord
from tests.blackbox.client import eventually, exchange, request
from tests.blackbox.server import environment

PROJECT = Path(__file__).parent.parent

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


class Project:
    """A project folder with one flow. Nobody serves it: ``service`` plays the servers' part."""

    def __init__(self, root: Path, **variables: str) -> None:
        self.root = root
        self.settings = Settings.from_env(
            {f"SITESWAP_{name}": value for name, value in variables.items()}, root=root
        )
        self.flow("order", ORDER)
        self._app = create_app(self.settings)
        self._app.extensions["siteswap"].catalog.refresh()

    def flow(self, key: str, text: str) -> Path:
        """Write the first version of a flow."""
        file = self.root / "flows" / key / "v1.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    @property
    def service(self) -> Runner:
        """The service of a process that executes nothing of its own accord."""
        service: Runner = self._app.extensions["siteswap"].service
        return service

    def accept(self, key: str = "order", **inputs: str) -> str:
        """Accept a run, which waits; its id."""
        return self.service.trigger(key, "v1", lambda: inputs, dict).run_id

    def execute(self, run_id: str) -> str:
        """Run it to its end, here and now."""
        self.service.execution.execute(run_id, "somebody")
        return run_id

    def claim(self, run_id: str) -> Claim:
        """Let somebody have it under way."""
        claimed = self.service.store.claim(run_id, "somebody", time.time())
        assert claimed is not None
        return claimed.claim

    def run(self, *arguments: str) -> Result:
        """``flask run <arguments>``, in an application of its own."""
        runner = create_app(self.settings).test_cli_runner()
        return runner.invoke(run_group, args=arguments)

    def close(self) -> None:
        """Let go of the store."""
        self._app.extensions["siteswap"].close(1.0)
        if "store" in vars(self.service):
            self.service.store.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project that keeps its runs in a file."""
    made = Project(tmp_path)
    yield made
    made.close()


def answer(done: Result) -> str:
    """What a command answered; nothing went wrong, and nothing else was said."""
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def refusal(done: Result) -> str:
    """The one sentence of a command that could not do it."""
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("Error: ").rstrip("\n")


def rows(done: Result) -> list[list[str]]:
    """The cells of a list, without its headings."""
    return [re.split(r"  +", line) for line in answer(done).splitlines()[1:]]


def test_list_without_runs(project: Project) -> None:
    """It says so, instead of showing an empty table."""
    assert answer(project.run("list")) == "No runs.\n"


def test_list_shows_the_newest_first(project: Project) -> None:
    """One line a run: what it is, how it stands, when it was accepted, how long it took."""
    project.flow("no", "mode: async\nsteps:\n  - fail: {message: no}\n")
    project.service.catalog.refresh()
    ended, failed = project.execute(project.accept()), project.execute(project.accept("no"))
    running = project.accept()
    project.claim(running)
    waiting = project.accept()
    done = project.run("list")
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


def test_list_chooses(project: Project) -> None:
    """By status, by flow, and how many at most; a word for a status in any case."""
    project.flow("other", "mode: async\nsteps:\n  - return: {}\n")
    project.service.catalog.refresh()
    first, second, other = project.accept(), project.accept(), project.accept("other")
    project.execute(first)
    project.execute(other)
    assert [row[0] for row in rows(project.run("list", "--status", "finish"))] == [other, first]
    assert [row[0] for row in rows(project.run("list", "--status", "INIT"))] == [second]
    assert [row[0] for row in rows(project.run("list", "--flow", "order"))] == [second, first]
    chosen = project.run("list", "--status", "FINISH", "--flow", "order", "--limit", "1")
    assert [row[0] for row in rows(chosen)] == [first]
    assert answer(project.run("list", "--flow", "nobody")) == "No runs.\n"


def test_show_a_run_that_finished(project: Project) -> None:
    """Its facts, its outputs and its steps; a step without a name is called by its place."""
    shown = answer(project.run("show", project.execute(instance := project.accept())))
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


def test_show_a_run_that_waits(project: Project) -> None:
    """What has not happened yet is a dash, or is not there."""
    lines = answer(project.run("show", instance := project.accept())).splitlines()
    assert lines[0] == f"{instance} INIT"
    assert [line.split() for line in lines[-2:]] == [["started", "-"], ["finished", "-"]]
    assert not any(line.split()[0] in ("data", "error", "callback") for line in lines)


def test_show_a_run_that_failed(project: Project) -> None:
    """Code, reason and message, and no secret among them.

    The secret stands in the url that the message quotes, in the inputs and in the outputs.
    """
    instance = project.execute(project.accept(pin="hunter2", path="hunter2"))
    shown = answer(project.run("show", instance))
    assert re.search(r"^  error     1 failed: 系统错误: step `order`: .*404", shown, re.MULTILINE)
    assert re.search(r"^order  http  ABORT ", shown, re.MULTILINE)
    assert "hunter2" not in shown
    finished = answer(project.run("show", project.execute(project.accept(pin="hunter2"))))
    assert '{"number":"tea","pin":"***"}' in finished
    assert "hunter2" not in finished


def test_what_a_run_says_cannot_steer_a_terminal(project: Project) -> None:
    """Control characters of a message are not written as they are."""
    failing = 'fail: {message: "${inputs.text}", code: 3}'
    project.flow("loud", f"mode: async\ninputs: {{text: string}}\nsteps: [{{{failing}}}]\n")
    project.service.catalog.refresh()
    shown = answer(project.run("show", project.execute(project.accept("loud", text="\x1b[31m"))))
    assert re.search(r"^  error     3 failed: .*\[31m", shown, re.MULTILINE)
    assert "\x1b" not in shown


def test_show_a_step_that_is_under_way(project: Project) -> None:
    """It is running while somebody has the run; afterwards nobody knows how it ended."""
    claim = project.claim(instance := project.accept())
    project.service.store.record(claim, StepRecord("0", "order", "http", 1, time.time()))
    shown = answer(project.run("show", instance)).splitlines()[-1].split()
    assert (shown[0], shown[2], shown[4:]) == ("order", "RUNNING", ["-", "-"])
    answer(project.run("cancel", instance))
    assert answer(project.run("show", instance)).splitlines()[-1].split()[2] == "UNKNOWN"


def test_show_names_the_delivery_of_a_callback(project: Project) -> None:
    """The run that tells somebody of the end has an id of its own, and is shown like any other."""
    instance = project.execute(project.accept(tell="https://nowhere.example/?key=hunter2"))
    delivery = delivery_id(instance)
    shown = answer(project.run("show", instance))
    assert f"  callback  {delivery} INIT\n" in shown
    answer(project.run("cancel", delivery))
    assert f"  callback  {delivery} ABORT cancelled\n" in answer(project.run("show", instance))
    assert "hunter2" not in answer(project.run("show", delivery))


def test_show_cuts_what_is_long(project: Project) -> None:
    """Of very long outputs a line is shown, of very many steps the last ones."""
    store = project.service.store
    project.execute(instance := project.accept(item="x" * 5_000))
    [line] = [each for each in answer(project.run("show", instance)).splitlines() if "data" in each]
    assert line.endswith("xxx…")
    assert len(line) < 1_100
    claim = project.claim(busy := project.accept())
    for number in range(201):
        store.record(claim, StepRecord(str(number), "http", "http", 1, time.time()))
    lines = answer(project.run("show", busy)).splitlines()
    assert lines[-1] == "(the last 200 steps)"
    assert (lines[-201].split()[0], lines[-2].split()[0]) == ("1", "200")


def test_cancel_in_every_state(project: Project) -> None:
    """What has not ended ends; what has ended stays as it is; either may be said twice."""
    waiting, running, failed, ended = (project.accept() for _ in range(4))
    project.claim(running)
    store, now = project.service.store, time.time()
    store.complete(failed, None, Outcome(Status.ABORT, error_code=1, reason="failed"), now)
    project.execute(ended)
    expected = {waiting: "ABORT cancelled", running: "ABORT cancelled", failed: "ABORT failed"}
    for instance, state in {**expected, ended: "FINISH"}.items():
        for _ in range(2):
            assert answer(project.run("cancel", instance)) == f"{instance} {state}\n"


def test_a_cancelled_run_is_not_run(project: Project) -> None:
    """Who claims it afterwards gets nothing; its poll tells why."""
    answer(project.run("cancel", instance := project.accept()))
    project.execute(instance)
    outcome = project.service.result(instance).outcome
    assert outcome is not None
    assert (outcome.error_code, outcome.reason) == (2000061010, "cancelled")


def test_retry_accepts_a_new_run_of_the_same_inputs(project: Project) -> None:
    """The id is the answer; what becomes of the run is said beside it."""
    first = project.execute(project.accept(item="coffee", pin="hunter2"))
    done = project.run("retry", first)
    assert done.exit_code == 0
    assert re.fullmatch(r"async_\w{16}\n", done.stdout)
    assert "if none runs, it waits for the next start" in done.stderr
    second = done.stdout.strip()
    assert second != first
    assert project.service.result(second).status is Status.INIT
    outcome = project.service.result(project.execute(second)).outcome
    assert outcome is not None
    assert outcome.result == '{"number":"coffee","pin":"hunter2"}'


def test_retry_takes_the_flow_as_it_is_now(project: Project) -> None:
    """A flow that is gone, switched off, or wants other inputs says so."""
    instance = project.execute(project.accept())
    project.flow("order", ORDER.replace("  item: {type: string, default: tea}", "  item: integer"))
    assert "item: " in refusal(project.run("retry", instance))
    project.flow("order", f"enabled: false\n{ORDER}")
    assert "流程未启用" in refusal(project.run("retry", instance))
    (project.root / "flows" / "order" / "v1.yaml").unlink()
    assert "流程不存在" in refusal(project.run("retry", instance))


def test_a_run_whose_flow_is_gone_is_still_shown(project: Project) -> None:
    """Once nobody knows any more which of its inputs are secret, its outputs are not shown."""
    instance = project.execute(project.accept(pin="hunter2"))
    project.flow("order", f"enabled: false\n{ORDER}")
    assert '"pin":"***"' in answer(project.run("show", instance))
    (project.root / "flows" / "order" / "v1.yaml").unlink()
    shown = answer(project.run("show", instance))
    assert f"{instance} FINISH\n" in shown
    assert "hunter2" not in shown
    run, outcome = ended(1, time.time())
    project.service.store.add(replace(run, source="0"), "")
    project.service.store.complete(run.id, None, outcome, time.time())
    shown = answer(project.run("show", run.id))
    assert f"{run.id} FINISH\n" in shown
    assert "data" not in shown


def ended(number: int, at: float) -> tuple[RunRecord, Outcome]:
    """A run, and how it ended."""
    key = f"async_{number:016}"
    return RunRecord(key, "order", "v1", Status.INIT, at, "{}"), Outcome(Status.FINISH, "{}")


def test_prune_follows_the_settings(tmp_path: Path) -> None:
    """Ended runs go when they are too old, or more than are kept; what has not ended stays."""
    project = Project(tmp_path, RETENTION="1h", RETENTION_RUNS="10")
    store, now = project.service.store, time.time()
    ages = [7_200.0] * 205 + [float(age) for age in range(60, 0, -5)]
    for number, age in enumerate(ages):
        run, outcome = ended(number, now - age)
        store.add(run, "")
        store.complete(run.id, None, outcome, now - age)
    waiting = project.accept()
    assert answer(project.run("prune")) == "207 runs dropped\n"
    assert answer(project.run("prune")) == "0 runs dropped\n"
    kept = [row[0] for row in rows(project.run("list", "--limit", "300"))]
    assert kept == [waiting, *(ended(number, now)[0].id for number in range(216, 206, -1))]
    project.close()


@pytest.mark.parametrize("command", ["show", "cancel", "retry"])
@pytest.mark.parametrize("run_id", ["async_0000000000000000", "sync_0000000000000000", "x\n"])
def test_a_run_that_is_not_there(project: Project, command: str, run_id: str) -> None:
    """Unknown and malformed ids are one sentence and status 1."""
    said = refusal(project.run(command, run_id.strip()))
    assert said.startswith(f"{run_id.strip()}: 流程实例不存在 (there is no such run")


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
        (["--port", "1", "list"], "the options of the development server stand alone"),
    ],
)
def test_a_wrong_command_line_has_status_2(
    project: Project, arguments: list[str], said: str
) -> None:
    """What is wrong with the command line is said on standard error."""
    done = project.run(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["list"], ["show", "x"], ["retry", "x"], ["prune"]])
def test_the_memory_of_a_server_cannot_be_seen(tmp_path: Path, arguments: list[str]) -> None:
    """A command has no runs of a server that keeps them in its memory, and says so."""
    project = Project(tmp_path, STORE="memory:")
    assert "SITESWAP_STORE=memory:" in refusal(project.run(*arguments))
    project.close()


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    """It is named, and left as it is."""
    (tmp_path / "notes.txt").write_text("not a database\n" * 100)
    project = Project(tmp_path, STORE="file:notes.txt")
    assert "notes.txt" in refusal(project.run("list"))
    assert (tmp_path / "notes.txt").read_text() == "not a database\n" * 100
    project.close()


def test_a_store_that_is_busy(project: Project) -> None:
    """Somebody holds the file for longer than a command waits."""
    instance = project.accept()
    file = project.settings.store.path
    assert file is not None
    with closing(sqlite3.connect(str(file), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "系统繁忙" in refusal(project.run("cancel", instance))


def test_another_application_is_told_so() -> None:
    """The plugin is there for every Flask application of the environment; its commands are ours."""
    done = Flask("other").test_cli_runner().invoke(run_group, args=["list"])
    assert "this command is for Siteswap" in refusal(done)


def test_flask_finds_the_group() -> None:
    """What is installed names it, so that it comes before Flask's own command."""
    group = FlaskGroup()
    assert group.get_command(click.Context(group), "run") is run_group


def flask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a person types it, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "flask", "--app", "wsgi", "run", *arguments],
        cwd=folder, env=environment({"PYTHONUTF8": "1"}),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_commands_as_typed(project: Project) -> None:
    """From the executable to the file and back, with nothing but the answer in between."""
    instance = project.execute(project.accept())
    done = flask(project.root, "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith(f"{instance}  order  v1       FINISH  -")
    done = flask(project.root, "show", "x")
    assert (done.returncode, done.stdout) == (1, "")


def test_help_shows_both(project: Project) -> None:
    """The options of the development server, and our commands."""
    shown = flask(project.root, "--help").stdout
    for word in ("--port", "--debugger", "list", "show", "cancel", "retry", "prune"):
        assert re.search(rf"^  (-\w, )?{word}\b", shown, re.MULTILINE), word


@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_development_server_still_starts(project: Project, by: str) -> None:
    """``flask run`` alone, its port by option or by Flask's own variable, serves."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--port", str(port)] if by == "option" else []
    variables = {} if options else {"FLASK_RUN_PORT": str(port)}
    log = project.root / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "run", *options],
            cwd=project.root, env=environment(variables), stdout=stream, stderr=stream,
        )  # fmt: skip
    try:
        eventually(lambda: f"127.0.0.1:{port}" in log.read_text(), bool, 20)
        assert exchange(port, request("GET", "/health")).status == 200
    finally:
        os.kill(process.pid, signal.SIGINT)
        process.wait(20)
