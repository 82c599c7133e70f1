"""The caller: requests as bytes, answers as they came, each checked to be the envelope."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

TRIGGER = "/v1/open/flow/trigger/v1/"
POLL = "/v1/open/flow/getAsyncFlowResult/"
KEYS = ["success", "errorCode", "errorMsg", "result"]
FORM = "application/x-www-form-urlencoded"

Body = bytes | str | Mapping[str, Any]
"""Bytes as they are, text as a form, a mapping as JSON."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are lower case; ``seconds`` is how long it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def envelope(self) -> dict[str, Any]:
        """The four keys, in their order; anything else fails the test."""
        assert self.headers["content-type"] == "application/json; charset=utf-8", self
        value: dict[str, Any] = json.loads(self.body.decode("utf-8"))
        assert list(value) == KEYS, self
        assert value["success"] is (value["errorCode"] == 0) is (value["errorMsg"] is None), self
        return value

    @property
    def outcome(self) -> tuple[int, int]:
        """HTTP status and error code: a row of the error table."""
        return self.status, self.envelope["errorCode"]

    @property
    def message(self) -> str:
        """``errorMsg``, which must be there."""
        text: str = self.envelope["errorMsg"]
        assert text
        return text

    @property
    def data(self) -> dict[str, Any]:
        """The outputs of a sync flow that finished."""
        assert self.outcome == (200, 0), self
        value: dict[str, Any] = self.envelope["result"]["data"]
        return value

    @property
    def run_id(self) -> str:
        """The id of the run."""
        text: str = self.envelope["result"]["flowInstanceId"]
        return text


@dataclass(frozen=True, slots=True)
class Client:
    """Talks to one server, each time on a new connection."""

    port: int
    token: str

    def send(self, data: bytes, *, half_close: bool = False) -> Answer:
        """Send these bytes, perhaps close the sending half, and read an envelope."""
        answer = exchange(self.port, data, half_close=half_close)
        assert answer.envelope
        return answer

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """``GET`` without a token of its own accord."""
        return self.send(request("GET", target, headers))

    def post(self, target: str, body: Body, headers: Mapping[str, str] | None = None) -> Answer:
        """``POST`` with the token in the header, unless ``headers`` hold another."""
        return self.send(
            request("POST", target, {"Juggle-Token": self.token, **(headers or {})}, body)
        )

    def trigger(self, key: str, **inputs: Any) -> Answer:
        """Run a flow with these inputs."""
        return self.post(TRIGGER + key, inputs)

    def poll(self, run_id: str) -> Answer:
        """Ask for the result of an async run."""
        return self.get(POLL + quote(run_id, safe=""), {"Juggle-Token": self.token})

    def ended(self, run_id: str, seconds: float = 60) -> Answer:
        """The result of an async run, once it has ended."""
        return eventually(
            lambda: self.poll(run_id),
            lambda answer: answer.headers["juggle-flow-status"] in ("FINISH", "ABORT"),
            seconds,
        )


def request(
    method: str, target: str, headers: Mapping[str, str] | None = None, body: Body | None = None
) -> bytes:
    """An HTTP/1.1 request on a connection that is closed behind it."""
    content, content_type = _encoded(body)
    fields = {"Host": "siteswap", "Connection": "close"}
    if content_type:
        fields["Content-Type"] = content_type
    if body is not None:
        fields["Content-Length"] = str(len(content))
    lines = [f"{name}: {value}" for name, value in {**fields, **(headers or {})}.items()]
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "\r\n"]).encode() + content


def _encoded(body: Body | None) -> tuple[bytes, str]:
    if isinstance(body, str):
        return body.encode(), FORM
    if isinstance(body, Mapping):
        return json.dumps(body, ensure_ascii=False).encode(), "application/json"
    return body or b"", ""


def exchange(port: int, data: bytes, *, half_close: bool = False, seconds: float = 60) -> Answer:
    """Send bytes and read one answer. Nothing a server of ours answers is HTML."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        # A server may refuse, and close, before it has read everything: its answer says why.
        with suppress(ConnectionError):
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection, data.partition(b" ")[0].decode("latin-1"))
    content_type = answer.headers.get("content-type", "application/json")
    assert content_type.startswith("application/json"), answer
    return Answer(answer.status, answer.headers, answer.body, time.monotonic() - began)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """Read one answer from a connection."""
    with http.client.HTTPResponse(connection, method=method) as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read(), 0.0)


def query(target: str, **parameters: Any) -> str:
    """A target with parameters."""
    return f"{target}?{urlencode(parameters, doseq=True)}"


def eventually(look: Callable[[], T], holds: Callable[[T], object], seconds: float = 30) -> T:
    """What ``look`` returns once it ``holds``; fails the test when that takes too long.

    The time is for a busy machine: it says nothing about how fast the thing should be.
    """
    end = time.monotonic() + seconds
    while not holds(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found
