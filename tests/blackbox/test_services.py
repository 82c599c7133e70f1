"""``services.yaml`` beside a running server: what services see, and how changes of it arrive."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.blackbox.client import Answer, eventually, exchange, request
from tests.blackbox.server import Server, serving
from tests.certificates import Authority
from tests.downstream import Downstream
from tests.transports import servers as downstreams
from tests.transports.servers import answer, answering, read_request

KEY = "a key/of+services"
NOT_FOUND = (404, 2000061001)

CALL = """\
outputs: {status: integer, body: string, kind: string}
steps:
  - id: call
    http: GET {target}
    on_error:
      - return: {kind: "${error.kind}", status: "${error.status}"}
  - return: {status: "${steps.call.status}", body: "${str(steps.call.body)}"}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker that follows the changes of its services file."""
    folder = tmp_path_factory.mktemp("services")
    with serving(folder, SECRET_KEY=KEY) as server:
        yield server
    assert "Traceback" not in server.log
    assert KEY not in server.log


def offer(server: Server, text: str) -> None:
    """Put a services file in place at once, as an editor does."""
    draft = server.folder / "services.draft"
    draft.write_text(text, "utf-8")
    draft.rename(server.flows / "services.yaml")


def call(server: Server, flow: str, target: str) -> Answer:
    """The answer of a flow that calls a target, once the flow is served."""
    server.write_flow(flow, CALL.replace("{target}", target))
    return eventually(lambda: server.client.trigger(flow), lambda found: found.outcome != NOT_FOUND)


def becomes(server: Server, flow: str, output: str, value: str) -> None:
    """Call a flow until an output is as wanted."""
    eventually(lambda: server.client.trigger(flow).data[output], lambda found: found == value)


def test_a_base_url_changes_under_way(server: Server) -> None:
    """Flows are not touched: their next request goes to the new address."""
    with (
        downstreams.Server(answering(answer(b"first"))) as first,
        downstreams.Server(answering(answer(b"second"))) as second,
    ):
        offer(server, f"services: {{crm: {{url: '{first.url}/a'}}}}")
        assert call(server, "moving", "crm:/b").data["body"] == "first"
        offer(server, f"services: {{crm: {{url: '{second.url}'}}}}")
        eventually(
            lambda: server.client.trigger("moving").data["body"], lambda found: found == "second"
        )


def test_a_broken_file_changes_nothing(server: Server) -> None:
    """What it said before goes on; health and the log say that it is broken, and quote nothing."""
    with downstreams.Server(answering(answer(b"1"))) as downstream:
        good = f"services: {{crm: {{url: '{downstream.url}'}}}}"
        offer(server, good)
        assert call(server, "steady", "crm:/").data["status"] == 200
        offer(server, f"{good}\n\n  shop: {{url: 'https://robot:hunter2@shop.example'}}\n")
        health = eventually(lambda: _health(server), lambda found: found["broken"])
        assert health["status"] == "degraded"
        (broken,) = health["broken"]
        assert (broken["file"], broken["served"]) == ("services.yaml", True)
        assert server.client.trigger("steady").data["status"] == 200
        assert "flows/services.yaml has errors; what it said before is still used" in server.log
        assert "hunter2" not in server.log
        offer(server, good)
        eventually(lambda: _health(server)["broken"], [].__eq__)


def _health(server: Server) -> dict[str, object]:
    found: dict[str, object] = json.loads(exchange(server.port, request("GET", "/health")).body)
    result = found["result"]
    assert isinstance(result, dict)
    return result


def test_a_flow_waits_for_its_service(server: Server) -> None:
    """It is not served before the service has a name, and is read again once it has."""
    offer(server, "services: {}")
    server.write_flow("waiting", CALL.replace("{target}", "stock:/x"))
    eventually(lambda: server.log, lambda log: "there is no service `stock`" in log)
    assert server.client.trigger("waiting").outcome == NOT_FOUND
    with downstreams.Server(answering(answer(b"here"))) as downstream:
        offer(server, f"services: {{stock: {{url: '{downstream.url}'}}}}")
        found = eventually(
            lambda: server.client.trigger("waiting"), lambda found: found.status == 200
        )
        assert found.data["body"] == "here"
        # What was good is not taken away by a name that vanishes: the step says what is wrong.
        offer(server, "services: {}")
        eventually(
            lambda: server.client.trigger("waiting").data["kind"], lambda found: found == "request"
        )


def sent(recorder: Downstream) -> tuple[str, dict[str, str], bytes]:
    """Target, headers and body of the last request."""
    request = recorder.requests[-1]
    return request.target, dict(line.split(": ", 1) for line in request.lines[1:]), request.body


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ('{bearer: "${secrets.KEY}"}', "Authorization", f"Bearer {KEY}"),
        ('{header: {name: X-Api-Key, value: "${secrets.KEY}"}}', "X-Api-Key", KEY),
        (
            '{basic: {user: ü, password: "${secrets.KEY}"}}',
            "Authorization",
            "Basic " + base64.b64encode(f"ü:{KEY}".encode()).decode(),
        ),
    ],
    ids=["bearer", "header", "basic"],
)
def test_the_service_sees_who_calls(server: Server, auth: str, header: str, value: str) -> None:
    """Each way of auth, as it goes over the wire."""
    with Downstream() as recorder:
        offer(server, f"services: {{who: {{url: '{recorder.url}', auth: {auth}}}}}")
        call(server, "shown", "who:/")
        eventually(lambda: shown(server, recorder).get(header), lambda found: found == value)


def shown(server: Server, recorder: Downstream) -> dict[str, str]:
    """The headers of a new request."""
    assert server.client.trigger("shown").status == 200
    # The first ones may still go where another test has sent them.
    return sent(recorder)[1] if recorder.requests else {}


def test_the_service_can_check_the_signature(server: Server) -> None:
    """From nothing but the request as it came, and the key."""
    with Downstream() as recorder:
        hmac_auth = 'auth: {hmac: {key: "${secrets.KEY}", key_id: k7}}'
        offer(server, f"services: {{signed: {{url: '{recorder.url}/v1', {hmac_auth}}}}}")
        flow = "steps:\n  - http: POST signed:/größe\n    query: {q: a b}\n    json: {n: [1, ü]}\n"
        server.write_flow("signing", flow)
        eventually(lambda: server.client.trigger("signing").status, (200).__eq__)
        target, headers, body = sent(recorder)
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join(["POST", target, headers["X-Timestamp"], digest])
    wanted = hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()
    assert headers["X-Signature"] == f"sha256={wanted}"
    assert headers["X-Key-Id"] == "k7"


@pytest.fixture(scope="module")
def authority(server: Server) -> Authority:
    """An authority whose files lie beside the flows."""
    return Authority(server.flows / "tls")


def under_mutual_tls(authority: Authority, certificate: Path) -> downstreams.Talk:
    """Answers who calls, by the name in the certificate that callers must show."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.settimeout(4)
            subject = dict(pair for (pair,) in (secured.getpeercert() or {})["subject"])
            while read_request(secured):
                secured.sendall(answer(str(subject["commonName"]).encode()))

    return talk


def test_an_authority_and_a_certificate_of_our_own(server: Server, authority: Authority) -> None:
    """The server is trusted by the service's own authority, and told who calls."""
    authority.sign("caller")
    with downstreams.Server(under_mutual_tls(authority, authority.sign("bank"))) as bank:
        url = bank.url.replace("http:", "https:")
        pair = "cert: tls/caller.pem, key: tls/caller.key"
        services = {
            "bank": f"tls: {{ca: tls/ca.pem, {pair}}}",
            "trusting": f"tls: {{verify: false, {pair}}}",
            "stranger": "tls: {ca: tls/ca.pem}",
            "nobody": "timeout: 5s",
        }
        lines = [f"  {name}: {{url: '{url}', {key}}}" for name, key in services.items()]
        offer(server, "\n".join(["services:", *lines, ""]))
        assert call(server, "banking", "bank:/").data["body"] == "caller"
        assert call(server, "trusting", "trusting:/").data["body"] == "caller"
        assert call(server, "stranger", "stranger:/").data["kind"] == "connection"
        assert call(server, "nobody", "nobody:/").data["kind"] == "connection"
        # Connections of the service are kept; no other request may use one.
        assert call(server, "outside", f"{url}/").data["kind"] == "connection"
        authority.sign("caller")
        authority.sign("renewed")
        for kind in (".pem", ".key"):
            (server.flows / f"tls/renewed{kind}").replace(server.flows / f"tls/caller{kind}")
        eventually(
            lambda: server.client.trigger("banking").data["body"], lambda found: found == "renewed"
        )


class Counter(downstreams.Server):
    """Answers once it is told to; counts how many requests it had at once."""

    def __init__(self) -> None:
        self.most = self.now = 0
        self.lock = threading.Lock()
        self.gate = threading.Event()
        super().__init__(self._count)

    def _count(self, connection: socket.socket) -> None:
        while read_request(connection):
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            self.gate.wait(10)
            with self.lock:
                self.now -= 1
            connection.sendall(answer(b"1"))


def test_no_more_requests_at_once_than_the_service_allows(server: Server) -> None:
    """The others wait for their turn, and all are answered."""
    with Counter() as counter, ThreadPoolExecutor(8) as callers:
        offer(server, f"services: {{slow: {{url: '{counter.url}', concurrency: 3}}}}")
        server.write_flow("queued", CALL.replace("{target}", "slow:/"))
        counter.gate.set()
        eventually(lambda: server.client.trigger("queued").status, (200).__eq__)
        counter.gate.clear()
        found = [callers.submit(server.client.trigger, "queued") for _ in range(8)]
        eventually(lambda: counter.now, (3).__eq__)
        counter.gate.set()
        assert [one.result().data["status"] for one in found] == [200] * 8
        assert counter.most == 3


def test_waiting_for_a_turn_ends_with_the_steps_time(server: Server) -> None:
    """It is a timeout of the step, which says what it waited for."""
    hurried = CALL.replace("{target}", "full:/\n    timeout: 300ms")
    hurried = hurried.replace("${error.kind}", "${error.message}")
    with Counter() as counter, ThreadPoolExecutor(1) as callers:
        counter.gate.set()
        offer(server, f"services: {{full: {{url: '{counter.url}', concurrency: 1}}}}")
        server.write_flow("hurried", hurried)
        assert call(server, "holding", "full:/").data["status"] == 200
        eventually(lambda: server.client.trigger("hurried").status, (200).__eq__)
        counter.gate.clear()
        held = callers.submit(server.client.trigger, "holding")
        eventually(lambda: counter.now, (1).__eq__)
        message = server.client.trigger("hurried").data["kind"]
        counter.gate.set()
        assert "waited for its turn: 1 requests to `full` are under way" in message
        assert held.result().data["status"] == 200
