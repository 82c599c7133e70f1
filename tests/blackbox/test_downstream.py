"""Whatever a downstream does becomes a step error that says which of these it was."""

from __future__ import annotations

import socket
import threading
import zlib

import pytest

from tests.blackbox.client import Answer, Client
from tests.blackbox.server import API_KEY, Server
from tests.transports import servers as downstreams
from tests.transports.servers import Talk, answer, answering, closing_after, dripping, hanging

JSON = "Content-Type: application/json\r\n"
HTML = "Content-Type: text/html\r\n"
PIN = "four-digits & more"
"""A secret input."""


def failed(found: Answer, *words: str) -> None:
    """The step failed, and the message names it and says these words."""
    assert found.outcome == (500, 1), found
    assert found.envelope["result"]["status"] == "ABORT"
    assert found.message.startswith("系统错误: step `call`: "), found.message
    assert "GET http://127.0.0.1:" in found.message
    assert all(word in found.message for word in words), found.message


def failed_with(client: Client, talk: Talk, *words: str, flow: str = "fetch_json") -> None:
    """A flow that calls such a downstream failed, with these words."""
    with downstreams.Server(talk) as downstream:
        failed(client.trigger(flow, url=downstream.url + "/path"), *words)


def test_it_refuses(client: Client) -> None:
    """Nobody listens at the port."""
    url = f"http://127.0.0.1:{downstreams.closed_port()}/"
    failed(client.trigger("fetch", url=url), "connection was refused")


def test_its_name_is_unknown(client: Client) -> None:
    """There is no such host."""
    found = client.trigger("fetch", url="http://no-such-host.invalid/")
    assert found.outcome == (500, 1)
    assert "host name" in found.message


@pytest.mark.parametrize("url", ["ftp://a/", "file:///etc/passwd", "gopher", "http://a b/", ""])
def test_the_url_is_none(client: Client, url: str) -> None:
    """An input that is not an http url is sent nowhere."""
    found = client.trigger("fetch", url=url)
    assert found.outcome == (500, 1)
    assert "step `call`" in found.message
    assert "url" in found.message.lower()


def test_it_never_accepts(client: Client) -> None:
    """The step's time ends while connecting or waiting, and the message says so."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        failed(client.trigger("impatient", url=url), "took longer than 0.3 s", "before an answer")


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (hanging(), "before an answer came"),
        (hanging(b"HTTP/1.1 200 OK\r\nX: "), "within the answer's headers"),
        (hanging(answer(b"abc")[:-1]), "within the answer's body, after 2 of 3 bytes"),
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "within the answer's headers"),
        (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a"), "the answer's body"),
        (dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"a"), "within the answer's body"),
    ],
)
def test_it_takes_too_long(client: Client, talk: Talk, words: str) -> None:
    """Hanging or dripping, it is cut off when the step's time is over."""
    with downstreams.Server(talk) as downstream:
        found = client.trigger("impatient", url=downstream.url)
    failed(found, "took longer than 0.3 s", words)
    assert found.seconds < 2


@pytest.mark.parametrize(
    "talk", [hanging(), dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"a")], ids=["hangs", "drips"]
)
def test_the_deadline_of_the_flow(client: Client, talk: Talk) -> None:
    """It ends a wait, its repetitions and ``on_error``: 504, and the step is named."""
    with downstreams.Server(talk) as downstream:
        found = client.trigger("hurried", url=downstream.url)
        assert downstream.accepted == 1
    assert found.outcome == (504, 2000061007)
    assert found.message.startswith("流程执行超时: step `call`: the flow took longer than 0.4 s")
    assert found.envelope["result"]["status"] == "ABORT"
    assert found.seconds < 2


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (closing_after(b""), ("connection was closed before an answer came",)),
        (downstreams.resetting(), ("connection was reset",)),
        (downstreams.resetting(b"HTTP/1.1 200 OK\r\n"), ("reset", "the answer's headers")),
        (closing_after(answer(b"abc")[:-1]), ("closed within the answer's body, after 2 of 3",)),
        (closing_after(b"SSH-2.0-OpenSSH_9\r\n"), ("not HTTP", "SSH-2.0")),
        (closing_after(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), ("HTTP",)),
        (closing_after(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), ("101",)),
        (
            answering(answer(b"", "Content-Length: 2000000000\r\n")),
            ("HTTP",),
        ),
        (
            hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n"),
            ("larger than 10000000 bytes",),
        ),
        (
            downstreams.streaming(b"HTTP/1.1 200 OK\r\n\r\n", lambda: bytes(65_536)),
            ("larger than 10000000 bytes",),
        ),
        (
            closing_after(
                answer(zlib.compress(bytes(20_000_000)), "Content-Encoding: deflate\r\n")
            ),
            ("larger than 10000000 bytes",),
        ),
        (
            closing_after(answer(b"\x1f\x8bxxxxxxxxxx", "Content-Encoding: gzip\r\n")),
            ("gzip data is broken",),
        ),
        (closing_after(answer(b"x", "Content-Encoding: br\r\n")), ("encoded as 'br'",)),
        (
            downstreams.streaming(b"HTTP/1.1 200 OK\r\n", lambda: b"X: " + b"y" * 5000 + b"\r\n"),
            ("headers are larger than",),
        ),
        (closing_after(answer(b"<html>hi</html>", HTML)), ("HTML", '"<html>hi</html>"')),
        (closing_after(answer(b"hi")), ("Content-Type", '"hi"')),
        (closing_after(answer(b'{"name":', JSON)), ("is not JSON", "line 1", '"{"name":"')),
        (closing_after(answer(b'{"name":NaN}', JSON)), ("is not JSON", "NaN")),
        (closing_after(answer(b"[" * 5000, JSON)), ("is not JSON", "nested deeper")),
        (closing_after(answer(b"\xff", JSON)), ("is not JSON", "UTF-8")),
        (
            closing_after(answer(b"oops", status="500 Internal Server Error")),
            ("answered 500 Internal Server Error, expected 2xx", '"oops"'),
        ),
        (closing_after(answer(status="404 Not Found")), ("answered 404 Not Found", "empty")),
        (
            closing_after(answer(status="302 Found", head="Location: /elsewhere\r\n")),
            ("redirects (302) to http://127.0.0.1:", "/elsewhere", "follow_redirects: true"),
        ),
    ],
)
def test_it_answers_badly(client: Client, talk: Talk, words: tuple[str, ...]) -> None:
    """Every kind of bad answer has a sentence of its own."""
    failed_with(client, talk, *words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (answer(b"", JSON), "what it is read from is null"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "what it is read from is null"),
        (answer(b"[1]", JSON), "a list has no field `name`"),
        (answer(b"{}", JSON), "the object has no field `name`"),
    ],
)
def test_it_answers_without_the_field(client: Client, data: bytes, words: str) -> None:
    """JSON that lacks what the flow reads is an error of the step that reads it."""
    with downstreams.Server(closing_after(data)) as downstream:
        found = client.trigger("fetch_json", url=downstream.url)
    assert found.outcome == (500, 1)
    assert found.message.startswith("系统错误: step `return`: `steps.call.body.name`: "), found
    assert words in found.message


@pytest.mark.parametrize(
    ("content", "head", "expected"),
    [
        (b'{"a":[1.5,null,"\xe4\xb8\xad"]}', JSON, '{"a":[1.5,null,"中"]}'),
        (b"1", "Content-Type: application/problem+json; charset=utf-8\r\n", "1"),
        (b"{", "Content-Type: text/plain\r\n", '"{"'),
        ("中".encode("gbk"), "Content-Type: text/plain; charset=gbk\r\n", '"中"'),
        (b"\xff", "Content-Type: text/plain; charset=nonsense\r\n", '"\ufffd"'),
        (b"abc", "Content-Type: text/plain; charset=base64\r\n", '"abc"'),
        (b"abc", "Content-Type: text/plain; charset=idna\r\n", '"abc"'),
        (b"abc", "Content-Type: text/plain; charset=undefined\r\n", '"abc"'),
        (b"abc", "Content-Type: text/plain; charset*=x'y'%ff\r\n", '"abc"'),
        (b"abc", "Content-Type: ;;=;\r\n", '"abc"'),
        (b"", JSON, "null"),
    ],
)
def test_it_answers_well(client: Client, content: bytes, head: str, expected: str) -> None:
    """JSON is parsed, other text is text, nothing is null."""
    with downstreams.Server(closing_after(answer(content, head))) as downstream:
        assert client.trigger("fetch", url=downstream.url).data == {"status": 200, "body": expected}


def test_no_content(client: Client) -> None:
    """A 204 has no body, and ends where its head ends."""
    with downstreams.Server(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as downstream:
        for _ in range(2):
            found = client.trigger("fetch", url=downstream.url)
            assert found.data == {"status": 204, "body": "null"}


def test_an_expected_404(client: Client) -> None:
    """A status that the step expects is no failure; any other still is."""
    with downstreams.Server(answering(answer(status="404 Not Found"))) as downstream:
        assert client.trigger("tolerant", url=downstream.url).data == {"status": 404}
    with downstreams.Server(answering(answer(status="201 Created"))) as downstream:
        failed(
            client.trigger("tolerant", url=downstream.url), "answered 201", "expected 200 or 404"
        )


def test_a_long_answer_is_quoted_in_part(client: Client) -> None:
    """A message holds at most 1 KB of an answer, whatever it is made of."""
    content = "中<>\"'\x00\n".encode() * 50_000
    with downstreams.Server(answering(answer(content, status="500 Oh"))) as downstream:
        found = client.trigger("fetch", url=downstream.url)
    failed(found, "answered 500")
    quoted = found.message.partition('it begins "')[2]
    assert 100 < len(quoted.encode()) <= 1024 + 1


@pytest.mark.parametrize(
    ("talk", "kind", "status"),
    [
        (closing_after(b""), "connection", None),
        (hanging(), "timeout", None),
        (answering(answer(status="503 Busy")), "status", 503),
        (answering(answer(status="302 Found", head="Location: /\r\n")), "redirect", 302),
        (answering(answer(b"{", JSON)), "response", 200),
        (closing_after(b"nonsense\r\n"), "response", None),
        (hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n"), "too_large", None),
    ],
)
def test_on_error_knows_the_kind(client: Client, talk: Talk, kind: str, status: int | None) -> None:
    """A flow that handles the failure finishes, and reads what it was."""
    with downstreams.Server(talk) as downstream:
        found = client.trigger("handled", url=downstream.url)
    assert found.data == {"kind": kind, "status": status, "step": "call"}


def test_secrets_are_masked(server: Server, client: Client) -> None:
    """A downstream that answers with the secrets it got does not publish them."""

    def tell(connection: socket.socket) -> None:
        told = downstreams.read_request(connection)
        connection.sendall(answer(told, status="400 Bad Request"))

    with downstreams.Server(tell) as downstream:
        found = client.trigger("secretive", url=downstream.url, pin=PIN)
    assert found.outcome == (500, 1)
    assert '{"pin":"***"}' in found.message
    assert "X-Api-Key: ***" in found.message
    assert not any(secret in server.log for secret in (PIN, API_KEY))


def test_a_secret_is_not_cut_in_two(client: Client) -> None:
    """Where the quoted part of an answer ends within a secret, nothing of it is shown."""

    def tell(connection: socket.socket) -> None:
        downstreams.read_request(connection)
        connection.sendall(answer(b"x" * 990 + PIN.encode() * 9, status="400 Bad Request"))

    with downstreams.Server(tell) as downstream:
        found = client.trigger("secretive", url=downstream.url, pin=PIN)
    assert found.message.endswith('x**********"')


def test_a_secret_in_a_url_is_masked(client: Client) -> None:
    """Also where it was percent-encoded on its way."""
    url = f"http://127.0.0.1:{downstreams.closed_port()}"
    found = client.trigger("addressed", url=url, pin=PIN)
    assert "four" not in found.message
    assert "/***" in found.message


def test_a_flow_that_calls_itself(client: Client) -> None:
    """It comes to an end, and keeps the token to itself."""
    found = client.trigger("recursive", token=client.token)
    assert found.outcome == (500, 1)
    assert found.message.startswith(
        "系统错误: step `again`: POST /v1/open/flow/trigger/v1/recursive"
    )
    assert client.token not in found.message
    assert found.seconds < 2


def test_a_slow_downstream_holds_up_nobody(client: Client) -> None:
    """While twenty runs wait for it, other runs are as quick as ever."""
    opened = threading.Event()

    def wait(connection: socket.socket) -> None:
        downstreams.read_request(connection)
        opened.wait(10)
        connection.sendall(answer(b"1"))

    with downstreams.Server(wait) as downstream:
        waiting = [
            threading.Thread(target=client.trigger, args=("fetch",), kwargs={"url": downstream.url})
            for _ in range(20)
        ]
        for thread in waiting:
            thread.start()
        assert max(client.trigger("echo", text="a").seconds for _ in range(20)) < 1
        opened.set()
        for thread in waiting:
            thread.join()
