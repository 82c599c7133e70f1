"""``siteswap`` and flow files: what people type and read, and what scripts see as exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shell import Shell, answer, refusal, siteswap
from tests.pages import PROJECT

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


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty shell."""
    made = Shell(tmp_path, ENV="MODE")
    made.environ["MODE"] = "test"
    return made


def test_run_prints_the_envelope(shell: Shell) -> None:
    """Standard output is the envelope and nothing else; all went well, so the status is 0."""
    shell.flow("login/v1", LOGIN)
    done = shell.run("run", "login", "-i", "userName=juggle", "-i", "password=123456")
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert answer["success"] is True
    assert answer["result"]["status"] == "FINISH"
    assert answer["result"]["data"] == {"userId": 1, "tags": []}


def test_a_flow_that_fails_has_status_1(shell: Shell) -> None:
    """The envelope of the failure is printed all the same, its secrets masked."""
    shell.flow("login/v1", LOGIN)
    done = shell.run("run", "login", "-i", "userName=x", "-i", "password=hunter2")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert (answer["success"], answer["errorCode"]) == (False, 4711)
    assert answer["errorMsg"] == "no user x with ***"


def test_wrong_inputs_are_told_at_once(shell: Shell) -> None:
    """Missing inputs give the envelope with the same code as over HTTP, and status 1."""
    shell.flow("login/v1", LOGIN)
    done = shell.run("run", "login")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["errorCode"] == 2000061004
    assert "userName" in answer["errorMsg"]
    assert "password" in answer["errorMsg"]


@pytest.mark.parametrize("source", ["file", "-"])
def test_inputs_from_json(shell: Shell, source: str) -> None:
    """``--inputs`` reads a file or standard input; ``-i`` goes over it, and twice makes a list."""
    shell.flow("login/v1", LOGIN)
    text = json.dumps({"userName": "nobody", "password": "123456", "tags": ["x"]})
    file = shell.root / "inputs.json"
    file.write_text(text, encoding="utf-8")
    named = str(file) if source == "file" else "-"
    options = ["--inputs", named, "-i", "userName=juggle", "-i", "tags=a", "-i", "tags=b=c"]
    done = shell.run("run", "login", *options, stdin=text)
    assert json.loads(done.stdout)["result"]["data"] == {"userId": 1, "tags": ["a", "b=c"]}


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["run"], "", "Missing argument 'KEY'"),
        (["run", "login", "-i", "userName"], "", "write it like -i name=value"),
        (["run", "login", "--inputs", "-"], "[1]", "expected a JSON object"),
        (["run", "login", "--inputs", "-"], "{", "--inputs: "),
        (["run", "login", "--inputs", "no-such-file"], "", "no-such-file"),
        (["run", "login", "--fast"], "", "No such option"),
        (["dance"], "", "No such command"),
        (["lst"], "", "Did you mean 'list'?"),
        (["new", "1st"], "", "is not a flow key"),
        (["new", "../x"], "", "is not a flow key"),
    ],
)
def test_a_wrong_command_line_has_status_2(
    shell: Shell, arguments: list[str], stdin: str, said: str
) -> None:
    """What is wrong with the command line is said on standard error."""
    shell.flow("login/v1", LOGIN)
    done = shell.run(*arguments, stdin=stdin)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["run", "show"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["logn"], "there is no flow 'logn' in {flows}; did you mean 'login'?"),
        (["nothing"], "there is no flow 'nothing' in {flows}; see: siteswap list"),
        (["login", "v3"], "{flows}/login has no version 'v3'; it has v1, v2"),
        (["off"], "{flows}/off/v1.yaml says `enabled: false`"),
    ],
)
def test_a_flow_that_cannot_be_used_is_one_sentence(
    shell: Shell, command: str, words: list[str], said: str
) -> None:
    """In English, with where it was looked for and what was probably meant; status 1."""
    shell.flow("login/v1", LOGIN)
    shell.flow("login/v2", LOGIN)
    shell.flow("off/v1", "enabled: false\nsteps:\n  - return: {}\n")
    assert refusal(shell.run(command, *words)) == said.format(flows=shell.flows)


@pytest.mark.parametrize("words", [["broken"], ["broken", "v2"]])
def test_a_broken_flow_leads_to_the_linter(shell: Shell, words: list[str]) -> None:
    """Also where none of its versions was ever good."""
    shell.flow("broken/v1", "steps:\n  - retrun: {}\n")
    shell.flow("broken/v2", "steps:\n  - retrun: {}\n")
    done = shell.run("run", *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("broken/v2.yaml has errors; see: siteswap lint\n")


def test_the_highest_version_is_meant_when_none_is_named(shell: Shell) -> None:
    """``v10`` is higher than ``v9``; a named version is taken as it is named."""
    for version in (1, 9, 10):
        steps = f"steps:\n  - return: {{n: {version}}}\n"
        shell.flow(f"count/v{version}", f"outputs:\n  n: integer\n{steps}")
    latest, first = shell.run("run", "count"), shell.run("run", "count", "v1")
    assert json.loads(latest.stdout)["result"]["data"] == {"n": 10}
    assert json.loads(first.stdout)["result"]["data"] == {"n": 1}
    assert shell.run("show", "count").stdout.startswith("count v10 ")


def test_an_async_flow_runs_to_its_end(shell: Shell) -> None:
    """The command waits, and prints what polling would answer in the end."""
    text = "mode: async\noutputs:\n  n: integer\nsteps:\n  - return: {n: 18}\n"
    shell.flow("later/v1", text)
    done = shell.run("run", "later")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "success": True,
        "errorCode": 0,
        "errorMsg": None,
        "result": {"n": 18},
    }


def test_trace_shows_each_step_with_secrets_masked(shell: Shell) -> None:
    """The trace goes to standard error: time, outcome and value of each step that ran."""
    shell.flow("login/v1", LOGIN)
    done = shell.run("run", "login", "-i", "userName=juggle", "-i", "password=123456", "--trace")
    assert json.loads(done.stdout)["success"] is True
    lines = done.stderr.splitlines()
    assert [line.split()[:3:2] + line.split()[3:4] for line in lines] == [
        [lines[0].split()[0], "ok", "http"],
        [lines[1].split()[0], "ok", "if"],
        [lines[2].split()[0], "return", "return"],
    ]
    failed = shell.run("run", "login", "-i", "userName=x", "-i", "password=hunter2", "--trace")
    assert "no user x with ***" in failed.stderr
    assert "hunter2" not in failed.stderr + failed.stdout


def test_list_shows_every_file_and_its_state(shell: Shell) -> None:
    """Enabled, disabled and broken files stand in one table; the command itself went well."""
    assert answer(shell.run("list")) == f"No flows in {shell.flows}. Make one: siteswap new KEY\n"
    shell.flow("login/v1", LOGIN)
    shell.flow("off/v2", "enabled: false\nmode: async\nsteps:\n  - return: {}\n")
    shell.flow("broken/v1", 'name: "x\\u001b[2J"\nsteps:\n  - retrun: {}\n  - logg: x\n')
    shell.flow("odd/v1", 'name: "red \\u001b[31m"\nsteps:\n  - return: {}\n')
    done = shell.run("list")
    assert done.exit_code == 0
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert rows == [
        ["FLOW", "VERSION", "MODE", "STATE    NAME".replace("    ", " " * 14)],
        ["broken", "v1", "-", "broken (2 errors)  see: siteswap lint"],
        ["login", "v1", "sync", "enabled            登录"],
        ["odd", "v1", "sync", "enabled            red \\x1b[31m"],
        ["off", "v2", "async", "disabled           -"],
    ]


def test_show_draws_inputs_outputs_and_steps(shell: Shell) -> None:
    """Every verb has its line, every block its place in the tree; secret defaults are masked."""
    shell.flow(
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
    done = shell.run("show", "all")
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


def test_new_writes_a_flow_that_is_clean_and_runs(shell: Shell) -> None:
    """The starter file has no finding, runs at once, and its editor schema lies beside it."""
    done = shell.run("new", "greeting")
    assert done.exit_code == 0
    file = shell.flows / "greeting" / "v1.yaml"
    assert (shell.flows / "flow.schema.json").is_file()
    linted = shell.run("lint", str(file.parent.parent))
    assert linted.stdout == "1 file: 0 errors, 0 warnings\n"
    ran = shell.run("run", "greeting", "-i", "who=you", "-i", "excited=true")
    assert json.loads(ran.stdout)["result"]["data"] == {"greeting": "HELLO, YOU!"}


def test_new_overwrites_nothing(shell: Shell) -> None:
    """An existing file, and an existing schema, stay as they are."""
    file = shell.flow("mine/v1", "steps: []\n")
    schema = shell.flows / "flow.schema.json"
    schema.write_text("{}")
    refused = shell.run("new", "mine")
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert file.read_text() == "steps: []\n"
    assert shell.run("new", "other").exit_code == 0
    assert schema.read_text() == "{}"


def test_new_says_when_it_cannot_write(shell: Shell) -> None:
    """A flows folder that is a file is named, without a traceback."""
    (shell.flows).rmdir()
    (shell.flows).write_text("")
    done = shell.run("new", "greeting")
    assert done.exit_code == 1
    assert "greeting" in done.stderr
    assert "Traceback" not in done.stderr


def test_lint_uses_the_settings_of_the_process(shell: Shell) -> None:
    """Environment variables on the allow-list are known, others are warned about."""
    shell.flow("env/v1", "steps:\n  - log: ${env.MODE} ${env.OTHER}\n")
    done = shell.run("lint", str(shell.flows))
    assert done.exit_code == 0
    assert "`OTHER`" in done.stdout
    assert "SITESWAP_ENV=MODE,OTHER" in done.stdout
    assert done.stdout.endswith("1 file: 0 errors, 1 warning\n")


def test_the_shipped_example_runs_from_the_command_line() -> None:
    """In the project folder the command needs no configuration."""
    inputs = '{"userName": "juggle", "password": "123456", "deposit": "300000.00"}'
    done = siteswap(PROJECT, "run", "sync_example", "--inputs", "-", stdin=inputs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["data"] == {
        "userName": "juggle",
        "age": 18,
        "orderName": "送一双耐克的鞋",
    }


def test_a_new_project_from_nothing(tmp_path: Path) -> None:
    """In an empty folder: make a flow, check it, run it; nothing else is written."""
    assert siteswap(tmp_path, "new", "hello").returncode == 0
    assert siteswap(tmp_path, "lint").stdout == "1 file: 0 errors, 0 warnings\n"
    done = siteswap(tmp_path, "run", "hello", "-i", "who=世界")
    assert json.loads(done.stdout)["result"]["data"] == {"greeting": "Hello, 世界"}
    assert done.stderr == ""
    written = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*"))
    assert written == ["flows/flow.schema.json", "flows/hello/v1.yaml"]


def test_the_schema_command_prints_the_shipped_schema() -> None:
    """``siteswap schema`` is how ``flows/flow.schema.json`` is made."""
    shipped = (PROJECT / "flows" / "flow.schema.json").read_text(encoding="utf-8")
    assert siteswap(PROJECT, "schema").stdout == shipped


def test_the_trace_of_a_long_loop_is_bounded(shell: Shell) -> None:
    """Each round says which one it is; of very many steps the first and the last are shown."""
    file = shell.flows / "long" / "v1.yaml"
    file.parent.mkdir()
    file.write_text("steps: [{for_each: '[0] * 1000', steps: [{set: {x: '${index}'}}]}]\n")
    lines = shell.run("run", "long", "--trace").stderr.splitlines()
    assert len(lines) == 201
    assert "set (#0)" in lines[1]
    assert "801 more steps" in lines[100]
    assert "set (#999)" in lines[-1]
