"""Triggering a flow: paths, ways of passing inputs, and the envelope to the letter."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

import pytest

from tests.blackbox.client import FORM, TRIGGER, Body, Client, query, request
from tests.blackbox.server import TOKEN

PREFIXES = ("/v1/open/flow", "/open/v1/flow")
JUGGLE = {"userName": "juggle", "password": "123456"}
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="userName"\r\n\r\njuggle\r\n'
    b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n123456\r\n'
    b'--b\r\nContent-Disposition: form-data; name="deposit"\r\n\r\n300000.00\r\n--b--\r\n'
)
ENVELOPE = '{"success":true,"errorCode":0,"errorMsg":null,"result":%s}'
RESULT = '{"flowInstanceId":"%s","status":"FINISH","data":%s}'


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("parameters", "data"),
    [
        (
            "userName=juggle&password=123456&deposit=1000.00",
            '{"userName":"juggle","age":18,"orderName":"送10元话费"}',
        ),
        (
            "userName=juggle&password=123456&deposit=300000.00",
            '{"userName":"juggle","age":18,"orderName":"送一双耐克的鞋"}',
        ),
        (
            "userName=juggle&password=wrong&deposit=1000.00",
            '{"userName":null,"age":null,"orderName":null}',
        ),
    ],
)
def test_the_documented_outcomes(client: Client, prefix: str, parameters: str, data: str) -> None:
    """The seed's request is answered byte for byte as the seed shows, but for the id."""
    target = f"{prefix}/trigger/v1/sync_example?juggleToken={TOKEN}&{parameters}"
    answer = client.get(target)
    assert re.fullmatch(r"sync_[A-Za-z0-9]{16}", answer.run_id)
    assert answer.status == 200
    assert answer.body.decode() == ENVELOPE % (RESULT % (answer.run_id, data))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param("userName=juggle&password=123456&deposit=300000.00", {}, id="form"),
        pytest.param({**JUGGLE, "deposit": 300000.0}, {}, id="bare JSON"),
        pytest.param({**JUGGLE, "deposit": "300000.00"}, {}, id="bare JSON of texts"),
        pytest.param({"flowData": {**JUGGLE, "deposit": 3e5}}, {}, id="flowData"),
        pytest.param(
            MULTIPART, {"Content-Type": "multipart/form-data; boundary=b"}, id="multipart"
        ),
        pytest.param(
            json.dumps({**JUGGLE, "deposit": 300000}).encode(),
            {"Content-Type": FORM},
            id="JSON as curl -d sends it",
        ),
        pytest.param(
            json.dumps({**JUGGLE, "deposit": 300000}).encode(),
            {"Content-Type": "application/vnd.sender+json"},
            id="JSON of a type of its own",
        ),
    ],
)
def test_inputs_in_a_body(client: Client, prefix: str, body: Body, headers: dict[str, str]) -> None:
    """Every documented body carries the same inputs, under both prefixes."""
    answer = client.post(f"{prefix}/trigger/v1/sync_example", body, headers)
    assert answer.data == {"userName": "juggle", "age": 18, "orderName": "送一双耐克的鞋"}


@pytest.mark.parametrize("body", ["text=body", {"text": "body"}, {"flowData": {"text": "body"}}])
def test_the_body_lies_over_the_query(client: Client, body: Body) -> None:
    """An input that stands in both is the body's; one in the query alone is the query's."""
    assert client.post(TRIGGER + "echo?text=query", body).data["text"] == "body"
    assert client.post(TRIGGER + "echo?text=query", b"").data["text"] == "query"


def test_a_body_of_a_get_is_not_read(client: Client) -> None:
    """A GET has only its query string."""
    headers = {"Juggle-Token": client.token}
    data = request("GET", TRIGGER + "echo?text=query", headers, {"text": "body"})
    assert client.send(data).data["text"] == "query"


def test_extra_keys_are_ignored(client: Client) -> None:
    """A webhook sender's other keys are no error and reach no input."""
    answer = client.post(TRIGGER + "echo?utm=1", {"text": "a", "event": {"deep": [1]}, "inputs": 1})
    assert answer.data == {"text": "a", "within": "<a>"}


@pytest.mark.parametrize(
    "text", ["${7*7}", "{{7*7}}", "$${inputs.text}", "${inputs.text}", "%{x}", "{% if 1 %}", "${"]
)
def test_what_looks_like_an_expression_is_text(client: Client, text: str) -> None:
    """Payload text comes back literally, alone and within other text."""
    assert client.trigger("echo", text=text).data == {"text": text, "within": f"<{text}>"}
    target = query(TRIGGER + "echo", text=text, juggleToken=client.token)
    assert client.get(target).data == {"text": text, "within": f"<{text}>"}


def test_text_is_utf_8_without_escapes(client: Client) -> None:
    """Characters of every kind come back as UTF-8, never as \\u."""
    text = "送一双 é 😀 \u2028"
    answer = client.trigger("echo", text=text)
    assert answer.data["text"] == text
    assert text.encode() in answer.body


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("integer", "42", 42),
        ("number", "1000.00", 1000.0),
        ("boolean", "false", False),
        ("date", "2026-01-31", "2026-01-31"),
        ("datetime", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("list", ["a", "b"], ["a", "b"]),
        ("object", '{"a":[1,null]}', {"a": [1, None]}),
    ],
)
def test_types_from_a_query_and_from_json(
    client: Client, name: str, given: object, expected: object
) -> None:
    """Text of a query string becomes the declared type, as the same in JSON does."""
    target = query(TRIGGER + "typed", **{name: given}, juggleToken=client.token)
    assert client.get(target).data[name] == expected
    assert client.trigger("typed", **{name: expected}).data[name] == expected


def seen(client: Client, target: str, body: Body, headers: dict[str, str]) -> dict[str, Any]:
    """What a flow sees as ``request``."""
    value: dict[str, Any] = client.post(target, body, headers).data["request"]
    return value


def test_a_flow_sees_the_whole_request(client: Client) -> None:
    """``request`` holds method, headers, query, body and raw body as they were sent."""
    body = b'{"event" : "push", "n":1.50}'
    headers = {"Content-Type": "application/json", "X-Event": "push"}
    found = seen(client, TRIGGER + "seen?a=1&b=2&b=3", body, headers)
    assert found["method"] == "POST"
    assert found["query"] == {"a": "1", "b": ["2", "3"]}
    assert found["body"] == {"event": "push", "n": 1.5}
    assert found["raw"] == body.decode()
    assert found["headers"]["x-event"] == "push"


def test_a_flow_sees_no_credentials(client: Client) -> None:
    """The token reaches ``request`` from no place it can stand in, nor do other credentials."""
    headers = {"Authorization": "Basic hidden", "Cookie": "hidden", "Proxy-Authorization": "hidden"}
    target = f"{TRIGGER}seen?a=1&juggleToken={client.token}"
    found = seen(client, target, f"b=2&juggleToken={client.token}", headers)
    assert "hidden" not in json.dumps(found)
    assert client.token not in json.dumps(found)
    assert (found["query"], found["body"], found["raw"]) == ({"a": "1"}, {"b": "2"}, "b=2")


def test_a_signature_over_the_raw_body(client: Client) -> None:
    """A flow can check a sender's HMAC over the bytes as sent, odd spacing and all."""
    body = '{ "event":"推送" ,\n "n": 1 }'.encode()
    signature = "sha256=" + hmac.digest(b"webhook-key", body, hashlib.sha256).hex()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature}
    assert client.post(TRIGGER + "signed", body, headers).data == {"genuine": True}
    assert client.post(TRIGGER + "signed", body + b" ", headers).data == {"genuine": False}
