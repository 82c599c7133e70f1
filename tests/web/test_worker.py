"""The gunicorn worker against clients of every kind, in a real gunicorn."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gunicorn.http import errors

from app.web.worker import REFUSALS, refusal, refusal_of
from tests.blackbox.client import exchange, read_answer, request
from tests.blackbox.server import PROJECT, Server

MARK = "sws_never-in-a-log"
GET = b"GET /%s HTTP/1.1\r\nHost: siteswap\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: siteswap\r\n"
TOKEN = MARK.encode()

CONFIGURATION = """
wsgi_app = "tests.worker_application:app"
worker_class = "tests.worker_application.ImpatientWorker"
limit_request_line = 8190
keepalive = 60
loglevel = "debug"
control_socket_disable = True
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn with one worker, so that every request meets the same one."""
    with started(tmp_path_factory.mktemp("worker")) as running:
        yield running


@contextmanager
def started(folder: Path) -> Iterator[Server]:
    """A gunicorn with one worker in this folder, until it is stopped."""
    (folder / "gunicorn.conf.py").write_text(CONFIGURATION)
    running = Server(folder, {"WEB_CONCURRENCY": "1"})
    try:
        running.wait_until_ready(1)
        yield running
    finally:
        running.stop()


def connect(server: Server) -> socket.socket:
    """A new connection to the server."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def assert_unharmed(server: Server) -> None:
    """The first worker still serves, and no log line holds what clients sent."""
    assert exchange(server.port, request("GET", "/x")).status == 200
    assert len(server.workers) == 1, server.log
    assert MARK not in server.log


MALFORMED = {
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + TOKEN + b"\r\n\r\n", 400),
    "no version": (b"GET /?juggleToken=" + TOKEN + b"\r\n\r\n", 400),
    "unknown version": (b"GET /?juggleToken=" + TOKEN + b" HTTP/3.0\r\n\r\n", 505),
    "small method": (b"get /?juggleToken=" + TOKEN + b" HTTP/1.1\r\n\r\n", 400),
    "non-ASCII target": (b"GET /?juggleToken=" + TOKEN + b"\xff HTTP/1.1\r\n\r\n", 400),
    "bare line feeds": (b"GET /?juggleToken=" + TOKEN + b" HTTP/1.1\nHost: siteswap\n\n", 400),
    "long line": (GET % (b"?juggleToken=" + TOKEN + b"x" * 8190) + b"\r\n", 414),
    "endless line": (GET % (b"?juggleToken=" + TOKEN + b"x" * 300_000) + b"\r\n", 414),
    "200 headers": (GET % b"" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n", 431),
    "large header": (GET % b"" + b"Juggle-Token: " + TOKEN + b"x" * 100_000 + b"\r\n\r\n", 431),
    "large head": (GET % b"" + b"".join(b"X-%d: %8000d\r\n" % (n, 0) for n in range(50)), 431),
    "header without colon": (GET % b"" + b"Juggle-Token " + TOKEN + b"\r\n\r\n", 400),
    "header with a space": (GET % b"" + b"Juggle-Token : " + TOKEN + b"\r\n\r\n", 400),
    "header with NUL": (GET % b"" + b"Juggle-Token: \0" + TOKEN + b"\r\n\r\n", 400),
    "folded header": (GET % b"" + b"Juggle-Token: a\r\n " + TOKEN + b"\r\n\r\n", 400),
    "two hosts": (GET % b"" + b"Host: b\r\n\r\n", 400),
    "unknown expectation": (POST + b"Expect: " + TOKEN + b"\r\n\r\n", 417),
    "unknown coding": (POST + b"Transfer-Encoding: " + TOKEN + b"\r\n\r\n", 501),
    "compressed coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    "length and chunks": (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "bad chunk size": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + TOKEN + b"\r\n", 400),
    "bad chunk end": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
    "endless chunk size": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000, 400),
    "tiny chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100_000, 400),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused_in_the_envelope(name: str, server: Server) -> None:
    """What gunicorn cannot parse is answered as JSON, is not logged, and harms no other client."""
    data, status = MALFORMED[name]
    answer = exchange(server.port, data)
    assert answer.outcome == (status, status)
    assert answer.envelope["result"] is None
    assert MARK not in answer.message
    assert answer.seconds < 2
    assert_unharmed(server)


@pytest.mark.parametrize("data", [b"G", GET % b"?juggleToken=", GET % b"" + b"Juggle-Token: x\r\n"])
def test_a_head_that_stalls_is_refused(data: bytes, server: Server) -> None:
    """A slow head is answered 408 at its deadline."""
    assert exchange(server.port, data + TOKEN).outcome == (408, 408)
    assert_unharmed(server)


def test_a_connection_without_a_byte_is_closed(server: Server) -> None:
    """Who says nothing is told nothing."""
    with connect(server) as silent:
        assert silent.recv(1) == b""


def test_stalled_connections_block_nobody(server: Server) -> None:
    """While 200 clients do not go on, another is served at once."""
    stalled = [connect(server) for _ in range(200)]
    for client in stalled:
        client.sendall(b"GET /")
    assert exchange(server.port, request("GET", "/x")).seconds < 2
    for client in stalled:
        client.close()


def test_a_body_that_stalls_is_refused(server: Server) -> None:
    """An application that waits for a body gets the end of its patience as 408."""
    assert exchange(server.port, POST + b"Content-Length: 9\r\n\r\n" + b"12").outcome == (408, 408)
    assert_unharmed(server)


@pytest.mark.parametrize(
    "body", [b"Content-Length: 9\r\n\r\n12", b"Transfer-Encoding: chunked\r\n\r\n5\r\n12"]
)
def test_a_body_that_ends_early_is_refused(body: bytes, server: Server) -> None:
    """Half a body never reaches the application as if it were all."""
    assert exchange(server.port, POST + body, half_close=True).outcome == (400, 400)
    assert_unharmed(server)


def test_a_body_in_chunks_is_read(server: Server) -> None:
    """Chunks of an ordinary size arrive whole."""
    chunks = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + 100 * chunks + b"0\r\n\r\n"
    assert exchange(server.port, data).envelope["result"]["bytes"] == 100 * 0x1000


def test_a_large_body_is_read(server: Server) -> None:
    """A megabyte with a length arrives whole."""
    answer = exchange(server.port, request("POST", "/echo", body=b"x" * 1_000_000))
    assert answer.envelope["result"]["bytes"] == 1_000_000


def test_a_body_that_nobody_reads_does_not_cost_the_answer(server: Server) -> None:
    """The answer outlives the close, though megabytes come in vain."""
    answer = exchange(server.port, request("POST", "/x", body=b"x" * 4_000_000))
    assert answer.status == 200
    assert_unharmed(server)


def test_a_small_unread_body_does_not_cost_the_connection(server: Server) -> None:
    """The next request on the connection begins after it."""
    with connect(server) as client:
        client.sendall(POST.replace(b"/echo", b"/x") + b"Content-Length: 5\r\n\r\n12345")
        first = read_answer(client)
        client.sendall(POST + b"Content-Length: 3\r\n\r\n123")
        second = read_answer(client)
    assert first.status == 200
    assert second.envelope["result"]["bytes"] == 3


def read_answers(client: socket.socket, number: int) -> list[bytes]:
    """The bodies of answers that come one after the other."""
    data = b""
    while data.count(b"HTTP/1.1 200 OK") < number or not data.endswith(b"}}"):
        received = client.recv(65_536)
        assert received, data
        data += received
    return [part.partition(b"\r\n\r\n")[2] for part in data.split(b"HTTP/1.1 200 OK")[1:]]


def test_requests_sent_ahead_are_answered_in_order(server: Server) -> None:
    """Three requests in one packet get three answers on one connection."""
    bodies = b"".join(POST + b"Content-Length: %d\r\n\r\n" % n + b"x" * n for n in (1, 2, 3))
    with connect(server) as client:
        client.sendall(bodies)
        answers = read_answers(client, 3)
    assert [
        f'"bytes": {n}'.encode() in answer for n, answer in zip((1, 2, 3), answers, strict=True)
    ]


def test_a_client_that_is_always_ready_does_not_starve_the_others(server: Server) -> None:
    """Between two requests of one connection the others have their turn."""
    with connect(server) as other, connect(server) as eager:
        other.sendall(GET % b"x" + b"\r\n")
        before: int = read_answer(other).envelope["result"]["served"]
        eager.sendall((GET % b"busy" + b"\r\n") * 500)
        other.sendall(GET % b"x" + b"\r\n")
        after: int = read_answer(other).envelope["result"]["served"]
        read_answers(eager, 500)
    assert after - before < 400


def test_a_bug_is_answered_in_the_envelope_and_logged_without_the_query(server: Server) -> None:
    """An error that leaves the application says nothing to the caller."""
    answer = exchange(server.port, request("GET", f"/crash?juggleToken={MARK}"))
    assert (answer.outcome, answer.message) == ((500, 1), "系统错误")
    assert "Error handling GET /crash\n" in server.log
    assert_unharmed(server)


def test_a_request_that_has_begun_is_answered_before_the_end(tmp_path: Path) -> None:
    """SIGTERM waits for it, closes idle connections, and ends with status 0."""
    with started(tmp_path) as server:
        with connect(server) as begun, connect(server) as idle:
            idle.sendall(GET % b"x" + b"\r\n")
            assert read_answer(idle).status == 200
            begun.sendall(POST + b"Content-Length: 5\r\n\r\n123")
            server.process.terminate()
            begun.sendall(b"45")
            answer = read_answer(begun)
            assert answer.envelope["result"]["bytes"] == 5
            assert idle.recv(1) == b""
        assert server.wait() == 0


REASONS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.ParseException)
]


@pytest.mark.parametrize("kind", REASONS)
def test_every_reason_of_gunicorn_has_an_answer(kind: type[Exception]) -> None:
    """Each class of refusal, with whatever it quotes, becomes a status and our own words."""
    error = kind.__new__(kind)
    status, message = refusal_of(error)
    assert (status, message) in REFUSALS.values()
    assert refusal(status, message).startswith(b"HTTP/1.1 %d " % status)


def test_nothing_of_the_package_keeps_a_blocking_function() -> None:
    """The master imports the package before a worker patches: no module may keep an original."""
    command = [sys.executable, "-m", "tests.patched_late"]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    assert (run.returncode, run.stdout.decode()) == (0, ""), run.stderr.decode()
