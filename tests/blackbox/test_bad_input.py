"""Whatever a caller sends as inputs: the right envelope within 2 s, and no harm to the worker."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.blackbox.client import TRIGGER, Answer, Body, Client, query, request
from tests.blackbox.server import Server

MALFORMED = (400, 2000061004)
BOMB = gzip.compress(bytes(20_000_000), 1)
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    """After each test, each of the workers that were there before it answers a good request."""
    before = server.workers
    yield
    for worker in before:
        with server.only(worker):
            answer = server.client.trigger("echo", text="good")
        assert answer.data["text"] == "good"
        assert answer.seconds < 2
    assert server.workers == before


def refused(answer: Answer, *words: str) -> None:
    """The caller's mistake, told in time; no run was made of it."""
    assert answer.outcome == MALFORMED, answer
    assert answer.envelope["result"] is None
    assert all(word in answer.message for word in ("流程入参错误: ", *words)), answer.message
    assert answer.seconds < 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("integer", "abc"),
        ("integer", 1.5),
        ("integer", True),
        ("integer", "1" * 5000),
        ("integer", "9" * 19),
        ("integer", "1_000"),
        ("number", "NaN"),
        ("number", "Infinity"),
        ("number", "1e999"),
        ("number", "0x10"),
        ("number", "1" * 5000),
        ("number", []),
        ("number", {}),
        ("boolean", "maybe"),
        ("boolean", 2),
        ("date", "2026-02-30"),
        ("date", "yesterday"),
        ("date", 20260230),
        ("datetime", "2026-01-31T25:00:00Z"),
        ("datetime", 1),
        ("list", 5),
        ("list", "[1"),
        ("list", "[" * 5000),
        ("object", [1]),
        ("object", "{}}"),
        ("object", '{"a":NaN}'),
        ("object", '{"a":1,"a":2}'),
        ("object", '{"a":"\\ud800"}'),
    ],
)
def test_a_value_of_the_wrong_type(client: Client, name: str, value: object) -> None:
    """The problem names its input, from a JSON body and from a query string alike."""
    refused(client.trigger("typed", **{name: value}), f"{name}: expected")
    if isinstance(value, str) and len(value) < 5000:
        headers = {"Juggle-Token": client.token}
        refused(client.get(query(TRIGGER + "typed", **{name: value}), headers), f"{name}: expected")


def test_a_secret_of_the_wrong_type(client: Client) -> None:
    """What was sent for a secret input is not repeated."""
    answer = client.trigger("typed", secret="hunter2")
    refused(answer, "secret: expected an integer")
    assert "hunter2" not in answer.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b'{"text":NaN}', "NaN", id="NaN"),
        pytest.param(b'{"text":[-Infinity]}', "Infinity", id="infinity"),
        pytest.param(b'{"text":1e999}', "too large", id="1e999"),
        pytest.param(b'{"text":' + b"7" * 5000 + b"}", "5000 digits", id="5000 digits"),
        pytest.param(b"[" * 5000 + b"]" * 5000, "nested deeper", id="5000 arrays"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper", id="5000 objects"),
        pytest.param(b"[" * 500_000, "nested deeper", id="500000 open arrays"),
        pytest.param(b'{"a":' * 150_000, "nested deeper", id="150000 open objects"),
        pytest.param(b'{"text":1,"text":2}', "twice", id="duplicate keys"),
        pytest.param(b'{"a":{"\\u0062":1,"b":2}}', "twice", id="duplicate keys, hidden"),
        pytest.param(b'{"text":"\\ud800"}', "stands alone", id="lone surrogate"),
        pytest.param(b'{"\\udfff":1}', "stands alone", id="lone surrogate in a key"),
        pytest.param('{"text":"a"}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param('{"text":"a"}'.encode("utf-16-le"), "not JSON", id="UTF-16 without BOM"),
        pytest.param('{"text":"a"}'.encode("utf-32"), "not UTF-8", id="UTF-32"),
        pytest.param('{"text":"中"}'.encode("gbk"), "not UTF-8", id="GBK"),
        pytest.param(b'{"text":"\xed\xa0\x80"}', "not UTF-8", id="CESU surrogate"),
        pytest.param(b'{"text":"a', "line 1, column", id="cut off"),
        pytest.param(b'{"text":"a"} {}', "line 1, column", id="two values"),
        pytest.param(b"{'text':'a'}", "line 1, column", id="single quotes"),
        pytest.param(b'{"text":"a\nb"}', "control character", id="raw line break"),
        pytest.param(b'{"text":"a\x00b"}', "control character", id="raw NUL"),
        pytest.param(b"\x00" * 1000, "not JSON", id="zeros"),
        pytest.param(gzip.compress(b'{"text":"a"}'), "not UTF-8", id="gzip, undeclared"),
        pytest.param(b'{"flowData":[1]}', "flowData", id="flowData is a list"),
        pytest.param(b'{"flowData":null}', "flowData", id="flowData is null"),
    ],
)
def test_a_body_that_is_not_json(client: Client, body: bytes, words: str) -> None:
    """Each is refused with what is wrong with it."""
    refused(client.post(TRIGGER + "echo", body, JSON), words)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'\xef\xbb\xbf{"text":"a"}', "a", id="BOM"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"{}", "", id="no inputs"),
        pytest.param(b"[1]", "", id="a list"),
        pytest.param(b"null", "", id="null"),
        pytest.param(b'{"text":null}', "", id="a null input"),
        pytest.param(b'{"text":"\\u0000"}', "\x00", id="escaped NUL"),
        pytest.param(b'{"text":"\\ud83d\\ude00"}', "😀", id="surrogate pair"),
        pytest.param(b'{"text":"</script>\\u2028"}', "</script>\u2028", id="HTML"),
        pytest.param(b" \r\n\t" * 1000 + b'{"text":"a"}', "a", id="white space"),
        pytest.param(b"[" * 100 + b"]" * 100, "", id="100 arrays"),
    ],
)
def test_a_body_that_only_looks_odd(client: Client, body: bytes, expected: str) -> None:
    """What can be read is read."""
    assert client.post(TRIGGER + "echo", body, JSON).data["text"] == expected


def test_a_list_as_the_body(client: Client) -> None:
    """A webhook that sends a list has no inputs; its flow reads ``request.body``."""
    answer = client.post(TRIGGER + "seen", b'[{"event":1}]', JSON)
    assert answer.data["request"]["body"] == [{"event": 1}]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param("&".join(f"p{n}=" for n in range(100_000)), {}, id="form"),
        pytest.param("a=1&" * 100_000, {}, id="form, one name"),
        pytest.param("&" * 900_000, {}, id="form of separators"),
    ],
)
def test_too_many_parameters(client: Client, body: Body, headers: dict[str, str]) -> None:
    """A form of 100,000 parameters is refused by its count."""
    refused(client.post(TRIGGER + "echo", body, headers), "more than 1000 parameters")


def test_too_many_parts(client: Client) -> None:
    """So is a multipart form of more than a thousand parts."""
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post(TRIGGER + "echo", part * 10_000 + b"--b--\r\n", headers)
    assert answer.outcome == (413, 413)
    assert answer.seconds < 2


def test_too_many_parameters_in_a_query(client: Client) -> None:
    """More of them than may be in 8 KB of request line are refused, too."""
    refused(client.get(TRIGGER + "echo?" + "a&" * 2000, {"Juggle-Token": client.token}), "1000")


def test_many_json_keys(client: Client) -> None:
    """100,000 keys that no flow declares are read and ignored in time."""
    body = json.dumps({f"{n:x}": 0 for n in range(100_000)}, separators=(",", ":")).encode()
    assert len(body) < 1_000_000
    answer = client.post(TRIGGER + "echo", body, JSON)
    assert answer.outcome == (200, 0)
    assert answer.seconds < 2


@pytest.mark.parametrize(
    "body", [b"--b", b"--b\r\n\r\n", b"--b--", b"x" * 1000, b"--b\r\n" + b"X" * 900_000]
)
def test_a_broken_multipart_form(client: Client, body: bytes) -> None:
    """It is answered in the envelope: as a form without fields, or as a malformed one."""
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post(TRIGGER + "echo", body, headers)
    assert answer.status in (200, 400, 413), answer
    assert answer.seconds < 2


def test_a_multipart_form_without_boundary(client: Client) -> None:
    """It has no fields."""
    answer = client.post(TRIGGER + "echo", b"--b--", {"Content-Type": "multipart/form-data"})
    assert answer.data["text"] == ""


@pytest.mark.parametrize("text", ["%ff", "%ed%a0%80", "%c3%28", "a%e4%bb"])
def test_percent_encoding_that_is_not_utf_8(client: Client, text: str) -> None:
    """Bytes that are no text are refused, in a query string and in a form."""
    headers = {"Juggle-Token": client.token}
    refused(client.get(f"{TRIGGER}echo?text={text}", headers), "the query string", "UTF-8")
    refused(client.get(f"{TRIGGER}echo?{text}=1", headers), "the query string", "UTF-8")
    refused(client.post(TRIGGER + "echo", f"text={text}"), "the form", "UTF-8")


@pytest.mark.parametrize(("text", "expected"), [("%zz", "%zz"), ("%", "%"), ("a+b", "a b")])
def test_percent_signs_that_encode_nothing(client: Client, text: str, expected: str) -> None:
    """They stand for themselves, as everywhere on the web."""
    headers = {"Juggle-Token": client.token}
    assert client.get(f"{TRIGGER}echo?text={text}", headers).data["text"] == expected
    assert client.post(TRIGGER + "echo", f"text={text}").data["text"] == expected


def test_an_input_given_twice(client: Client) -> None:
    """Two values are no text: the input is named."""
    refused(client.post(TRIGGER + "echo", "text=a&text=b"), "text: expected text")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x" * 1000])
def test_an_encoded_body(client: Client, coding: str) -> None:
    """Nothing is ever unpacked, so a bomb of 20 MB does not go off."""
    answer = client.post(TRIGGER + "echo", BOMB, {**JSON, "Content-Encoding": coding})
    assert answer.outcome == (415, 415)
    assert answer.seconds < 2


def test_a_body_of_another_type(client: Client) -> None:
    """XML is no inputs, but a flow can read it."""
    answer = client.post(TRIGGER + "seen", b"<a/>", {"Content-Type": "text/xml"})
    assert answer.data["request"]["raw"] == "<a/>"
    assert answer.data["request"]["body"] is None


def test_a_body_that_is_not_text(client: Client) -> None:
    """Bytes that are not UTF-8 have no ``raw`` text."""
    answer = client.post(TRIGGER + "seen", b"\xff\xd8\xff", {"Content-Type": "image/jpeg"})
    assert answer.data["request"]["raw"] is None


def test_a_wrong_token_beside_a_wrong_body(client: Client) -> None:
    """Who may not call learns nothing about what they sent."""
    data = request("POST", TRIGGER + "echo", {**JSON, "Juggle-Token": "blackbox"}, b"{")
    assert client.send(data).outcome == (401, 2000011005)
