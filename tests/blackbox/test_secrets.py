"""Secrets and secret inputs: no channel that people read shows them, whatever a downstream does."""

from __future__ import annotations

import base64
import json
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.blackbox.client import eventually, exchange, request
from tests.blackbox.server import TOKEN, Server, serving
from tests.downstream import Downstream
from tests.pages import SITESWAP
from tests.transports import servers as downstreams
from tests.transports.servers import answer, read_request

TOKEN_SECRET = "tök/en+of the&env"
PASSWORD = 'pässword"of <a> file'
PIN = "pin of=the/caller"
SECRETS = (TOKEN_SECRET, PASSWORD, PIN)

SERVICES = """\
services:
  echo:
    url: {url}/${{secrets.TOKEN}}
    query: {{key: "${{secrets.PASSWORD}}"}}
    headers: {{X-Key: "${{base64(secrets.TOKEN)}}", X-Other: "${{url_encode(secrets.PASSWORD)}}"}}
    auth: {{basic: {{user: robot, password: "${{secrets.PASSWORD}}"}}}}
"""

STEPS = """\
inputs:
  pin: {type: string, secret: true}
  status: {type: integer, default: 500}
outputs: {seen: object}
steps:
  - log: "calling with ${secrets.TOKEN} and ${inputs.pin}"
  - set: {mine: {token: "${secrets.TOKEN}", both: "${inputs.pin}:${secrets.PASSWORD}"}}
  - id: call
    http: POST echo:/${inputs.pin}
    query: {answer: "${inputs.status}", pin: "${inputs.pin}"}
    json: {pin: "${inputs.pin}", vars: "${vars.mine}"}
"""

FAILING = STEPS
HANDLED = STEPS.replace(
    "    json", "    on_error: [{log: '${error.message} ${error.body}'}]\n    json"
)
FAIL = STEPS + "  - fail: {message: '${str(steps.call.body)}', code: 4711}\n"
FINE = STEPS + "  - log: ${steps.call}\n  - return: {seen: '${steps.call}'}\n"
FLOWS = {"failing": FAILING, "handled": HANDLED, "fail": FAIL, "fine": FINE}


def forms(secret: str) -> set[str]:
    """What a secret looks like on its ways."""
    code = base64.b64encode
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="!$%&'()*+,/:;=?@~"),
        code(secret.encode()).decode().rstrip("="),
        code(f"robot:{secret}".encode()).decode().rstrip("="),
    }


def shows_nothing(text: str) -> None:
    """No secret stands in a text, in any form."""
    found = [form for secret in SECRETS for form in forms(secret) if form in text]
    assert not found, text


def echo(connection: socket.socket) -> None:
    """Sends the whole request back, with the status that it asks for."""
    while got := read_request(connection):
        status = "200 OK" if b"answer=200" in got else "500 Sorry"
        connection.sendall(answer(got, "Content-Type: text/plain\r\n", status))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose downstream repeats all it hears; nothing of that is ever in its log."""
    folder = tmp_path_factory.mktemp("secrets")
    files = folder / "secret-files"
    files.mkdir()
    (files / "PASSWORD").write_text(PASSWORD + "\n")
    (files / "ROTATED").write_text("the first value\n")
    settings = {"SECRET_TOKEN": TOKEN_SECRET, "SECRETS_DIR": "secret-files"}
    with downstreams.Server(echo) as downstream, serving(folder, **settings) as server:
        (server.flows / "services.yaml").write_text(SERVICES.format(url=downstream.url))
        for key, text in FLOWS.items():
            server.write_flow(key, text)
            server.write_flow(f"{key}_async", f"mode: async\n{text}")
        for key in FLOWS:
            eventually(lambda key=key: _is_served(server, key), bool)
            eventually(lambda key=key: _is_served(server, f"{key}_async"), bool)
        yield server
    shows_nothing(server.log)
    assert "Traceback" not in server.log


def _is_served(server: Server, key: str) -> bool:
    return server.client.trigger(key).outcome != (404, 2000061001)


def siteswap(server: Server, *arguments: str) -> tuple[str, str]:
    """What a command prints on its two streams."""
    done = subprocess.run(
        [str(SITESWAP), *arguments],
        cwd=server.folder, env=server.environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout, done.stderr


@pytest.mark.parametrize("flow", ["failing", "fail"])
def test_an_error_answer(server: Server, flow: str) -> None:
    """The caller reads what went wrong; the downstream's echo in it is masked."""
    found = server.client.trigger(flow, pin=PIN, status=200 if flow == "fail" else 500)
    assert found.status == 500
    assert "***" in found.message
    shows_nothing(found.body.decode())


@pytest.mark.parametrize("flow", FLOWS)
def test_a_stored_run(server: Server, flow: str) -> None:
    """Polling, looking at a run by HTTP and by command, and the file that keeps it."""
    status = 200 if flow in ("fail", "fine") else 500
    instance = server.client.trigger(f"{flow}_async", pin=PIN, status=status).run_id
    polled = server.client.ended(instance)
    if polled.envelope["errorCode"]:
        shows_nothing(polled.body.decode())
    target = f"/v1/open/flow/instances/{instance}"
    seen = exchange(server.port, request("GET", target, {"Juggle-Token": TOKEN}))
    assert seen.status == 200
    assert b"echo:/${inputs.pin}" in seen.body or b"POST http" in seen.body
    shows_nothing(seen.body.decode())
    for command in (("runs", "show", instance), ("runs", "list")):
        shows_nothing("".join(siteswap(server, *command)))
    shows_nothing(" ".join(_told(server.database, instance)))


def _told(database: Path, instance: str) -> Iterator[str]:
    """The columns for people; inputs and outputs are kept as they are, as the promise says."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        yield from _texts(
            connection.execute(
                "SELECT error_message, reason FROM instance WHERE id = ?", [instance]
            )
        )
        rows = "SELECT name, verb, path, outcome, detail FROM step WHERE instance_id = ?"
        yield from _texts(connection.execute(rows, [instance]))
    connection.close()


def _texts(rows: sqlite3.Cursor) -> Iterator[str]:
    for row in rows:
        yield from (str(value) for value in row)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_trace(server: Server, flow: str) -> None:
    """Every step with its value, on a terminal. Outputs are the caller's, as they are."""
    status = 200 if flow in ("fail", "fine") else 500
    inputs = ("-i", f"pin={PIN}", "-i", f"status={status}")
    envelope, shown = siteswap(server, "run", flow, *inputs, "--trace")
    assert envelope.startswith('{"success":')
    assert "http call" in shown
    assert "***" in shown
    shows_nothing(shown)
    if flow != "fine":
        shows_nothing(envelope)


def test_a_wrong_secret_input(server: Server) -> None:
    """A value that is refused is not repeated."""
    flow = "inputs:\n  pin: {type: integer, secret: true}\nsteps:\n  - log: ${inputs.pin}\n"
    server.write_flow("numbered", flow)
    eventually(lambda: _is_served(server, "numbered"), bool)
    found = server.client.trigger("numbered", pin=PIN)
    assert found.outcome == (400, 2000061004)
    shows_nothing(found.body.decode())


def test_a_secret_is_rotated(server: Server) -> None:
    """A file that changes is read within two seconds, and the next request sends the new value."""
    with Downstream() as recorder:
        server.write_flow(
            "rotating",
            f"steps:\n  - http: GET {recorder.url}/\n    headers: {{X: '${{secrets.ROTATED}}'}}\n",
        )
        eventually(lambda: _is_served(server, "rotating"), bool)
        assert "X: the first value" in recorder.requests[-1].lines
        draft = server.folder / "draft"
        draft.write_text("the second value\n")
        os.replace(draft, server.folder / "secret-files" / "ROTATED")
        eventually(
            lambda: server.client.trigger("rotating") and recorder.requests[-1].lines,
            lambda lines: "X: the second value" in lines,
        )


def test_a_secret_arrives_late(server: Server) -> None:
    """A flow without its secret is not served, and is once the file is there."""
    server.write_flow("late", "steps:\n  - log: '${secrets.LATE}'\n")
    eventually(lambda: server.log, lambda log: "there is no secret `LATE` here" in log)
    assert not _is_served(server, "late")
    (server.folder / "secret-files" / "LATE").write_text("better late than never")
    eventually(lambda: _is_served(server, "late"), bool)
    assert "better late" not in server.log
