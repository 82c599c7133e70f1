"""Requests that stay in the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest

from app.http.local import MAX_DEPTH, LocalTransport, RoutingTransport
from app.http.message import Request, Response
from tests.transports.requests import failure, request


def create_app() -> flask.Flask:
    """An application that answers with what it was asked."""
    app = flask.Flask(__name__)

    @app.route("/echo/<path:rest>", methods=["GET", "POST"])
    def echo(rest: str) -> dict[str, Any]:
        sent = flask.request
        return {
            "method": sent.method,
            "rest": rest,
            "query": sent.args.to_dict(flat=False),
            "form": sent.form.to_dict(),
            "body": sent.get_data(as_text=True),
            "header": sent.headers.get("X-Name"),
            "host": sent.host,
        }

    @app.get("/cookies")
    def cookies() -> flask.Response:
        response = flask.Response(status=418)
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    return app


def echoed(sent: Request) -> Any:
    """What the application says it was asked."""
    response = LocalTransport({}, create_app()).send(sent)
    assert response.status == 200
    return flask.json.loads(response.body)


def test_everything_arrives() -> None:
    """Path, query, headers and body, also beyond ASCII and percent-encoded."""
    url = "/echo/a%20b/张?x=1&x=%C3%A9&y=三#part"
    got = echoed(request(url, "POST", "三".encode(), {"x-name": "v", "Host": "a.example"}))
    assert got == {
        "method": "POST",
        "rest": "a b/张",
        "query": {"x": ["1", "é"], "y": ["三"]},
        "form": {},
        "body": "三",
        "header": "v",
        "host": "a.example",
    }


def test_a_form_arrives_as_a_form() -> None:
    """The content type reaches the application as such."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert echoed(request("/echo/x", "POST", b"a=%C3%A9", headers))["form"] == {"a": "é"}


def test_header_bytes_are_those_of_the_network() -> None:
    """UTF-8, which WSGI hands on as Latin-1."""
    got = echoed(request("/echo/x", headers={"X-Name": "é"}))
    assert got["header"].encode("latin-1").decode() == "é"


def test_status_and_headers_come_back() -> None:
    """Names in lower case, repeated ones joined."""
    response = LocalTransport({}, create_app()).send(request("/cookies"))
    assert response.status == 418
    assert response.headers["set-cookie"] == "a=1; Path=/, b=2; Path=/"


def test_head_runs_the_application_without_a_body() -> None:
    """As over the network."""
    response = LocalTransport({}, create_app()).send(request("/echo/x", "HEAD"))
    assert (response.status, response.body) == (200, b"")


def test_a_route_goes_first() -> None:
    """A function that is registered for method and path is called instead of the application."""

    def handler(query: str, body: bytes) -> Response:
        return Response(200, {}, query.encode() + b"|" + body)

    transport = LocalTransport({("POST", "/echo/x"): handler}, create_app())
    sent = request("/echo/x?a=é#b", "POST", b"body")
    assert transport.send(sent).body == b"a=%C3%A9|body"
    assert b'"method":"GET"' in transport.send(request("/echo/x")).body


@pytest.mark.parametrize("routed", [True, False])
def test_a_large_answer_is_refused(routed: bool) -> None:
    """The bound holds for both ways, and an unread answer is closed."""
    closed = []

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"x" * 100

        def close(self) -> None:
            closed.append(True)

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Chunks:
        start_response("200 OK", [])
        return Chunks()

    routes = {("GET", "/"): lambda query, body: Response(200, {}, b"x" * 1001)} if routed else {}
    error = failure(LocalTransport(routes, wsgi), request("/", max_bytes=1000))
    assert (error.kind, error.message) == ("too_large", "the answer is larger than 1000 bytes")
    assert closed == ([] if routed else [True])


def test_an_answer_that_comes_too_late() -> None:
    """The work cannot be cut short, but its answer is refused."""
    now = [0.0]

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        now[0] += 5.1
        return []

    transport = LocalTransport({}, wsgi, clock=lambda: now[0])
    assert failure(transport, request("/", timeout=5)).kind == "timeout"
    assert transport.send(request("/", timeout=6)).status == 200


def test_calls_within_calls_have_an_end() -> None:
    """An application that calls itself for ever gets an error, in each thread for itself."""
    depths = []

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        depth = int(environ["QUERY_STRING"])
        if depth == MAX_DEPTH:
            error = failure(transport, request("/?9"))
            depths.append((error.kind, error.message))
        else:
            transport.send(request(f"/?{depth + 1}"))
        start_response("200 OK", [])
        return []

    transport = LocalTransport({}, wsgi)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(transport.send, [request("/?1")] * 8))
    text = f"this application calls itself more than {MAX_DEPTH} levels deep"
    assert depths == [("request", text)] * 8


def test_a_url_that_cannot_be_encoded() -> None:
    """It is refused as it would be over the network."""
    error = failure(LocalTransport({}, create_app()), request("/\ud800"))
    assert error.kind == "request"


class Recorder:
    """A transport that remembers where it was asked to go."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def send(self, request: Request) -> Response:
        """Answer 200."""
        self.urls.append(request.url)
        return Response(200, {}, b"")


def test_a_slash_stays_here() -> None:
    """Only a url that begins with a slash is local, whatever follows the slash."""
    local, network = Recorder(), Recorder()
    transport = RoutingTransport(local, network)
    for url in ("/a", "//b.example/", "http://c.example/", "", "d"):
        transport.send(request(url))
    assert local.urls == ["/a", "//b.example/"]
    assert network.urls == ["http://c.example/", "", "d"]
