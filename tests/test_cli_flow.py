"""``flask flow …``: what people type, what they read, and what scripts see as exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from app.config.settings import Settings

PROJECT = Path(__file__).parent.parent

LOGIN = """\
name: 登录
inputs:
  userName: string
  password: {type: string, secret: true}
  tags: {type: list, default: []}
outputs:
  userId: integer
  tags: list
steps:
  - id: login
    http: POST /example/user/login
    json: {userName: "${inputs.userName}", password: "${inputs.password}"}
  - if: not steps.login.body.loginFlag
    then:
      - fail: {message: "no user ${inputs.userName} with ${inputs.password}", code: 4711}
  - return: {userId: "${steps.login.body.userId}", tags: "${inputs.tags}"}
"""


class Project:
    """A project folder with flows, and the command line in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "flows").mkdir()
        settings = Settings.from_env({"SITESWAP_ENV": "MODE", "MODE": "test"}, root=root)
        self.app: Flask = create_app(settings)

    def flow(self, name: str, text: str) -> Path:
        """Write ``flows/<name>.yaml``."""
        file = self.root / "flows" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """``flask flow <arguments>``."""
        runner = self.app.test_cli_runner()
        return runner.invoke(args=["flow", *arguments], input=stdin)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project(tmp_path)
    yield made
    made.app.extensions["siteswap"].close(1.0)


def test_run_prints_the_envelope(project: Project) -> None:
    """Standard output is the envelope and nothing else; all went well, so the status is 0."""
    project.flow("login/v1", LOGIN)
    done = project.run("run", "login", "-i", "userName=juggle", "-i", "password=123456")
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert answer["success"] is True
    assert answer["result"]["status"] == "FINISH"
    assert answer["result"]["data"] == {"userId": 1, "tags": []}


def test_a_flow_that_fails_has_status_1(project: Project) -> None:
    """The envelope of the failure is printed all the same, its secrets masked."""
    project.flow("login/v1", LOGIN)
    done = project.run("run", "login", "-i", "userName=x", "-i", "password=hunter2")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert (answer["success"], answer["errorCode"]) == (False, 4711)
    assert answer["errorMsg"] == "no user x with ***"


def test_wrong_inputs_are_told_at_once(project: Project) -> None:
    """Missing inputs give the envelope with the same code as over HTTP, and status 1."""
    project.flow("login/v1", LOGIN)
    done = project.run("run", "login")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["errorCode"] == 2000061004
    assert "userName" in answer["errorMsg"]
    assert "password" in answer["errorMsg"]


@pytest.mark.parametrize("source", ["file", "-"])
def test_inputs_from_json(project: Project, source: str) -> None:
    """``--json`` reads a file or standard input; ``-i`` goes over it, and twice makes a list."""
    project.flow("login/v1", LOGIN)
    text = json.dumps({"userName": "nobody", "password": "123456", "tags": ["x"]})
    file = project.root / "inputs.json"
    file.write_text(text, encoding="utf-8")
    named = str(file) if source == "file" else "-"
    options = ["--json", named, "-i", "userName=juggle", "-i", "tags=a", "-i", "tags=b=c"]
    done = project.run("run", "login", *options, stdin=text)
    assert json.loads(done.stdout)["result"]["data"] == {"userId": 1, "tags": ["a", "b=c"]}


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["run"], "", "Missing argument 'KEY'"),
        (["run", "login", "-i", "userName"], "", "write it like -i name=value"),
        (["run", "login", "--json", "-"], "[1]", "expected a JSON object"),
        (["run", "login", "--json", "-"], "{", "--json: "),
        (["run", "login", "--json", "no-such-file"], "", "no-such-file"),
        (["run", "login", "--fast"], "", "No such option"),
        (["dance"], "", "No such command"),
        (["new", "1st"], "", "is not a flow key"),
        (["new", "../x"], "", "is not a flow key"),
    ],
)
def test_a_wrong_command_line_has_status_2(
    project: Project, arguments: list[str], stdin: str, said: str
) -> None:
    """What is wrong with the command line is said on standard error."""
    project.flow("login/v1", LOGIN)
    done = project.run(*arguments, stdin=stdin)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["run", "show"])
def test_flows_that_cannot_be_used_have_status_1(project: Project, command: str) -> None:
    """Unknown keys and versions, disabled and broken flows each say what they are."""
    project.flow("off/v1", "enabled: false\nsteps:\n  - return: {}\n")
    project.flow("broken/v1", "steps:\n  - retrun: {}\n")
    for flow, said in [
        (["nobody"], "流程不存在"),
        (["off", "v2"], "流程不存在"),
        (["off"], "流程未启用"),
        (["broken"], "its file has errors, see `flask flow lint`"),
    ]:
        done = project.run(command, *flow)
        assert done.exit_code == 1
        assert said in done.stderr
        assert done.stdout == ""


def test_the_highest_version_is_meant_when_none_is_named(project: Project) -> None:
    """``v10`` is higher than ``v9``; a named version is taken as it is named."""
    for version in (1, 9, 10):
        steps = f"steps:\n  - return: {{n: {version}}}\n"
        project.flow(f"count/v{version}", f"outputs:\n  n: integer\n{steps}")
    latest, first = project.run("run", "count"), project.run("run", "count", "v1")
    assert json.loads(latest.stdout)["result"]["data"] == {"n": 10}
    assert json.loads(first.stdout)["result"]["data"] == {"n": 1}
    assert project.run("show", "count").stdout.startswith("count v10 ")


def test_an_async_flow_runs_to_its_end(project: Project) -> None:
    """The command waits, and prints what polling would answer in the end."""
    text = "mode: async\noutputs:\n  n: integer\nsteps:\n  - return: {n: 18}\n"
    project.flow("later/v1", text)
    done = project.run("run", "later")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "success": True,
        "errorCode": 0,
        "errorMsg": None,
        "result": {"n": 18},
    }


def test_trace_shows_each_step_with_secrets_masked(project: Project) -> None:
    """The trace stands on standard error: time, outcome and value of each step that ran."""
    project.flow("login/v1", LOGIN)
    done = project.run("run", "login", "-i", "userName=juggle", "-i", "password=123456", "--trace")
    assert json.loads(done.stdout)["success"] is True
    lines = done.stderr.splitlines()
    assert [line.split()[:3:2] + line.split()[3:4] for line in lines] == [
        [lines[0].split()[0], "ok", "http"],
        [lines[1].split()[0], "ok", "if"],
        [lines[2].split()[0], "return", "return"],
    ]
    failed = project.run("run", "login", "-i", "userName=x", "-i", "password=hunter2", "--trace")
    assert "no user x with ***" in failed.stderr
    assert "hunter2" not in failed.stderr + failed.stdout


def test_list_shows_every_file_and_its_state(project: Project) -> None:
    """Enabled, disabled and broken files stand in one table; the command itself went well."""
    assert "No flows. Make one: flask flow new KEY" in project.run("list").stdout
    project.flow("login/v1", LOGIN)
    project.flow("off/v2", "enabled: false\nmode: async\nsteps:\n  - return: {}\n")
    project.flow("broken/v1", 'name: "x\\u001b[2J"\nsteps:\n  - retrun: {}\n  - logg: x\n')
    project.flow("odd/v1", 'name: "red \\u001b[31m"\nsteps:\n  - return: {}\n')
    done = project.run("list")
    assert done.exit_code == 0
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert rows == [
        ["FLOW", "VERSION", "MODE", "STATE    NAME".replace("    ", " " * 14)],
        ["broken", "v1", "-", "broken (2 errors)  see: flask flow lint"],
        ["login", "v1", "sync", "enabled            登录"],
        ["odd", "v1", "sync", "enabled            red \\x1b[31m"],
        ["off", "v2", "async", "disabled           -"],
    ]


def test_show_draws_inputs_outputs_and_steps(project: Project) -> None:
    """Every verb has its line, every block its place in the tree; secret defaults are masked."""
    project.flow(
        "all/v1",
        """\
name: Everything
description: |
  First line
  second line
timeout: 90s
inputs:
  id: {type: integer, description: Who}
  pin: {type: string, secret: true, default: "0000"}
  size: {type: number, default: 1.5}
outputs:
  age: integer
steps:
  - id: user
    name: Fetch the user
    http: GET https://api.example.com/users/${inputs.id}
    timeout: 1500ms
    retry: 2
    on_error:
      - fail: {message: "no user: ${error.message}", code: 7}
  - http: POST https://api.example.com/log
    on_error: continue
  - if: steps.user.body.age > 18
    then:
      - log: {message: adult, level: warning}
    else:
      - set: {a: 1, b: 2}
  - switch:
      - when: inputs.size < 2
        then:
          - when: inputs.pin == "1"
            return: {age: 1}
      - else:
          - log: "big ${inputs.size}"
  - return: {}
""",
    )
    done = project.run("show", "all")
    assert done.exit_code == 0
    assert (
        done.stdout
        == """\
all v1 (sync, 90 s)
  Everything
  First line
  second line

inputs
  id: integer (required)  Who
  pin: string (default ***, secret)
  size: number (default 1.5)

outputs
  age: integer

steps
  - http GET https://api.example.com/users/${inputs.id} [user] Fetch the user  \
(timeout 1.5 s, retry 2)
      on_error:
        - fail no user: ${error.message} (code 7)
  - http POST https://api.example.com/log
      on_error: continue
  - if steps.user.body.age > 18
      then:
        - log adult
      else:
        - set a, b
  - switch
      when inputs.size < 2:
        - return age  (when inputs.pin == "1")
      else:
        - log big ${inputs.size}
  - return nothing
"""
    )


def test_new_writes_a_flow_that_is_clean_and_runs(project: Project) -> None:
    """The starter file has no finding, runs at once, and its editor schema stands beside it."""
    done = project.run("new", "greeting")
    assert done.exit_code == 0
    file = project.root / "flows" / "greeting" / "v1.yaml"
    assert (project.root / "flows" / "flow.schema.json").is_file()
    linted = project.run("lint", str(file.parent.parent))
    assert linted.stdout == "1 file: 0 errors, 0 warnings\n"
    ran = project.run("run", "greeting", "-i", "who=you", "-i", "excited=true")
    assert json.loads(ran.stdout)["result"]["data"] == {"greeting": "HELLO, YOU!"}


def test_new_overwrites_nothing(project: Project) -> None:
    """An existing file, and an existing schema, stay as they are."""
    file = project.flow("mine/v1", "steps: []\n")
    schema = project.root / "flows" / "flow.schema.json"
    schema.write_text("{}")
    refused = project.run("new", "mine")
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert file.read_text() == "steps: []\n"
    assert project.run("new", "other").exit_code == 0
    assert schema.read_text() == "{}"


def test_new_says_when_it_cannot_write(project: Project) -> None:
    """A flows folder that is a file is named, without a traceback."""
    (project.root / "flows").rmdir()
    (project.root / "flows").write_text("")
    done = project.run("new", "greeting")
    assert done.exit_code == 1
    assert "greeting" in done.stderr
    assert "Traceback" not in done.stderr


def test_lint_uses_the_settings_of_the_process(project: Project) -> None:
    """Environment variables on the allow-list are known, others are warned about."""
    project.flow("env/v1", "steps:\n  - log: ${env.MODE} ${env.OTHER}\n")
    done = project.run("lint", str(project.root / "flows"))
    assert done.exit_code == 0
    assert "`OTHER`" in done.stdout
    assert "SITESWAP_ENV=MODE,OTHER" in done.stdout
    assert done.stdout.endswith("1 file: 0 errors, 1 warning\n")


def flask(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command as a person types it, in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SITESWAP_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "flask", "--app", "wsgi", "flow", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(PROJECT), "PYTHONUTF8": "1"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_shipped_example_runs_from_the_command_line() -> None:
    """In the project folder the command needs no configuration."""
    inputs = '{"userName": "juggle", "password": "123456", "deposit": "300000.00"}'
    done = flask(PROJECT, "run", "sync_example", "--json", "-", stdin=inputs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["data"] == {
        "userName": "juggle",
        "age": 18,
        "orderName": "送一双耐克的鞋",
    }


def test_a_new_project_from_nothing(tmp_path: Path) -> None:
    """In an empty folder: make a flow, check it, run it; nothing else is written."""
    assert flask(tmp_path, "new", "hello").returncode == 0
    assert flask(tmp_path, "lint").stdout == "1 file: 0 errors, 0 warnings\n"
    done = flask(tmp_path, "run", "hello", "-i", "who=世界")
    assert json.loads(done.stdout)["result"]["data"] == {"greeting": "Hello, 世界"}
    assert done.stderr == ""
    written = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*"))
    assert written == ["flows/flow.schema.json", "flows/hello/v1.yaml"]


def test_the_schema_command_prints_the_shipped_schema() -> None:
    """``flask flow schema`` is how ``flows/flow.schema.json`` is made."""
    shipped = (PROJECT / "flows" / "flow.schema.json").read_text(encoding="utf-8")
    assert flask(PROJECT, "schema").stdout == shipped


def test_the_trace_of_a_long_loop_is_bounded(project: Project) -> None:
    """Each round says which one it is; of very many steps the first and the last are shown."""
    file = project.root / "flows" / "long" / "v1.yaml"
    file.parent.mkdir()
    file.write_text("steps: [{for_each: '[0] * 1000', steps: [{set: {x: '${index}'}}]}]\n")
    lines = project.run("run", "long", "--trace").stderr.splitlines()
    assert len(lines) == 201
    assert "set (#0)" in lines[1]
    assert "801 more steps" in lines[100]
    assert "set (#999)" in lines[-1]
