"""Where a token may stand, which one counts, and that every wrong one gets the same answer."""

from __future__ import annotations

import pytest

from tests.blackbox.client import POLL, TRIGGER, Client, eventually, request
from tests.blackbox.conftest import EXPIRED_TOKEN, FILE_TOKEN
from tests.blackbox.server import TOKEN, Server

WRONG = "sws_blackbox-wrong-token"
REJECTED = '{"success":false,"errorCode":2000011005,"errorMsg":"令牌错误","result":null}'.encode()


def bare(method: str, target: str, headers: dict[str, str], body: str | None = None) -> bytes:
    """An echo request with no token of its own accord."""
    return request(method, target, headers, body)


@pytest.mark.parametrize(
    ("query", "headers", "form"),
    [
        ("", {"Juggle-Token": TOKEN}, None),
        ("", {"juggle-token": TOKEN}, None),
        (f"?juggleToken={TOKEN}", {}, None),
        ("", {}, f"juggleToken={TOKEN}"),
        (f"?juggleToken={WRONG}", {"Juggle-Token": TOKEN}, None),
        ("", {"Juggle-Token": TOKEN}, f"juggleToken={WRONG}"),
        (f"?juggleToken={TOKEN}", {"Juggle-Token": ""}, None),
        ("", {"Juggle-Token": ""}, f"juggleToken={TOKEN}"),
        ("?juggleToken=", {}, f"juggleToken={TOKEN}"),
        ("", {"Juggle-Token": FILE_TOKEN}, None),
    ],
)
def test_a_token_is_found(
    client: Client, query: str, headers: dict[str, str], form: str | None
) -> None:
    """In the header, else in the query, else in a form; an empty one is none, the header wins."""
    method = "GET" if form is None else "POST"
    answer = client.send(request(method, f"{TRIGGER}echo{query}", headers, form))
    assert answer.outcome == (200, 0)


def test_a_multipart_form_carries_a_token(client: Client) -> None:
    """The token may be a field of a multipart form."""
    body = f'--b\r\nContent-Disposition: form-data; name="juggleToken"\r\n\r\n{TOKEN}\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.send(request("POST", TRIGGER + "echo", headers, body.encode()))
    assert answer.outcome == (200, 0)


@pytest.mark.parametrize(
    ("query", "headers", "form"),
    [
        ("", {}, None),
        ("", {"Juggle-Token": WRONG}, None),
        ("", {"Juggle-Token": TOKEN + "x"}, None),
        ("", {"Juggle-Token": EXPIRED_TOKEN}, None),
        ("", {"Authorization": f"Bearer {TOKEN}"}, None),
        (f"?juggleToken={TOKEN}", {"Juggle-Token": WRONG}, None),
        (f"?juggleToken={WRONG}", {}, None),
        (f"?juggleToken={TOKEN}&juggleToken={TOKEN}", {}, None),
        (f"?JUGGLETOKEN={TOKEN}", {}, None),
        ("", {}, f"juggleToken={WRONG}"),
        ("", {"Juggle-Token": "sws_blackbox-\u00e9-\u4ee4\u724c"}, None),
        ("?juggleToken=%E4%BB%A4%00", {}, None),
    ],
)
@pytest.mark.parametrize("key", ["echo", "no_such_flow"])
def test_a_wrong_token(
    client: Client, query: str, headers: dict[str, str], form: str | None, key: str
) -> None:
    """Every wrong token gets the same bytes, whether or not the flow exists."""
    method = "GET" if form is None else "POST"
    answer = client.send(request(method, f"{TRIGGER}{key}{query}", headers, form))
    assert (answer.status, answer.body) == (401, REJECTED)


def test_two_token_headers(client: Client) -> None:
    """Two headers are not one token, even where each of them alone is right."""
    data = request("GET", TRIGGER + "echo", {"Juggle-Token": f"{TOKEN}\r\nJuggle-Token: {TOKEN}"})
    assert client.send(data).outcome == (401, 2000011005)


def test_token_bytes_that_are_not_text(client: Client) -> None:
    """Header bytes that are neither ASCII nor UTF-8 are a wrong token."""
    data = request("GET", TRIGGER + "echo", {"Juggle-Token": "@"}).replace(b"@", b"\xff\xfe\x80")
    assert client.send(data).outcome == (401, 2000011005)


def test_a_token_in_json_is_no_token(client: Client) -> None:
    """A JSON body is flow data, also where it has a key called juggleToken."""
    data = request("POST", TRIGGER + "echo", {}, {"juggleToken": TOKEN})
    assert client.send(data).outcome == (401, 2000011005)


def test_a_token_for_some_flows(client: Client) -> None:
    """A token that names its flows opens no other, nor the results of any other."""
    limited = Client(client.port, FILE_TOKEN)
    assert limited.trigger("echo", text="a").data["text"] == "a"
    assert limited.trigger("typed").outcome == (401, 2000011005)
    instance = client.trigger("failing_async").run_id
    assert limited.poll(instance).outcome == (404, 2000061005)
    assert client.ended(instance).envelope["errorCode"] == 4001


def test_polling_needs_a_token(client: Client) -> None:
    """Without a token a result is as unknown as a flow."""
    instance = client.trigger("async_example").run_id
    client.ended(instance)
    answer = client.get(POLL + instance)
    assert (answer.status, answer.body) == (401, REJECTED)


def test_a_token_never_reaches_a_stored_run(server: Server, client: Client) -> None:
    """The store holds neither the token nor its digest."""
    target = f"{TRIGGER}fetch_async?juggleToken={TOKEN}&url=/nowhere"
    instance = client.post(target, f"juggleToken={TOKEN}").run_id
    client.ended(instance)
    files = eventually(lambda: list(server.database.parent.glob("runs.db*")), bool)
    assert not any(b"blackbox" in file.read_bytes() for file in files)
