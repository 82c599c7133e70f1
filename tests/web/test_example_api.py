"""The built-in example APIs, over HTTP and in process: the same answers, to the byte."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import quote

import flask
import pytest

from app.http.local import LocalTransport
from app.http.message import Content, Form, Json, Request, Response
from app.strict_json import loads
from app.web.example import create_blueprint, example_routes

ROUTES = example_routes(lambda: date(2023, 11, 19))
NOBODY = {"userId": None, "userName": None, "loginFlag": False}
USER = {"id": 1, "name": "张三", "age": 18, "birthday": "2023-11-19"}
ORDER = "/example/order/placeOrder"


def send(method: str, url: str, body: Content) -> Response:
    """The answer in process."""
    request = Request(method, url, {}, body, 1.0, 100_000)
    return LocalTransport(ROUTES, flask.Flask(__name__)).send(request)


def call(method: str, url: str, body: bytes = b"") -> Response:
    """The answer in process, which must be that over HTTP too."""
    app = flask.Flask(__name__)
    app.register_blueprint(create_blueprint(ROUTES))
    here = send(method, url, body)
    with app.test_client().open(url, method=method, data=body) as there:
        assert (there.status_code, there.data) == (here.status, bytes(here.body))
        assert there.content_type == here.headers["content-type"] == "application/json"
    return here


@pytest.mark.parametrize(
    ("method", "url", "body", "expected"),
    [
        (
            "POST",
            "/example/user/login",
            '{"userName": "juggle", "password": "123456"}',
            {"userId": 1, "userName": "juggle", "loginFlag": True},
        ),
        ("POST", "/example/user/login", '{"userName": "juggle", "password": "x"}', NOBODY),
        ("POST", "/example/user/login", '{"userName": "juggle", "password": 123456}', NOBODY),
        ("POST", "/example/user/login", "{}", NOBODY),
        ("POST", "/example/user/login", "", NOBODY),
        ("GET", "/example/user/getUserById?userId=1", "", USER),
        ("GET", "/example/user/getUserById?userId=-20", "", {**USER, "id": -20}),
        ("GET", "/example/user/getUserById?userId=1.5", "", {**USER, "id": "1.5"}),
        ("GET", "/example/user/getUserById?userId=", "", {**USER, "id": ""}),
        ("GET", "/example/user/getUserById", "", {**USER, "id": None}),
        (
            "GET",
            "/example/goods/releaseGoods?goodsName=%E9%9E%8B&goodsInventory=3",
            "",
            {"goodsId": 999, "goodsName": "鞋", "goodsInventory": 3},
        ),
        (
            "GET",
            "/example/goods/getGoodsInfo?goodsName=a&goodsInventory=3",
            '{"goodsName": "鞋", "goodsInventory": 4}',
            {"goodsId": 999, "goodsName": "鞋", "goodsInventory": 4, "goodsPrice": 189.59},
        ),
        (
            "POST",
            ORDER,
            f"orderName={quote('送10元话费')}&userId=1",
            {"orderNo": "NO123", "orderName": "送10元话费", "userId": 1},
        ),
        (
            "POST",
            ORDER + "?orderName=a&userId=7",
            "orderName=b+c",
            {"orderNo": "NO123", "orderName": "b c", "userId": 7},
        ),
        (
            "GET",
            "/example/order/getOrderByNo?orderNo=NO9",
            "",
            {"orderNo": "NO9", "orderName": "测试订单", "userId": 1},
        ),
        (
            "GET",
            "/example/order/getUserOrderList?orderName=a&userId=2",
            "",
            {
                "userId": 2,
                "orderList": [
                    {"orderNo": "NO123", "orderName": "a", "userId": 2},
                    {"orderNo": "NO456", "orderName": "a", "userId": 2},
                ],
            },
        ),
    ],
)
def test_an_api_answers(method: str, url: str, body: str, expected: Any) -> None:
    """Every row of the table in docs/open-api.md."""
    response = call(method, url, body.encode())
    assert response.status == 200
    assert loads(bytes(response.body)) == expected


def test_answers_are_compact_utf8() -> None:
    """No escapes, no spaces."""
    got = bytes(call("GET", "/example/user/getUserById?userId=1").body).decode()
    assert got == '{"id":1,"name":"张三","age":18,"birthday":"2023-11-19"}'


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/example/user/login", b"{"),
        ("/example/user/login", b"[1]"),
        ("/example/user/login", b"NaN"),
        ("/example/user/login", b"\xff"),
        ("/example/user/login", b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
        ("/example/user/login?a=%ff", b"{}"),
        (ORDER, b"orderName=%ff"),
        (ORDER, b"\xff"),
        (ORDER, b"&".join(b"a=b" for _ in range(1001))),
        (ORDER + "?" + "a&" * 1001, b""),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(url: str, body: bytes) -> None:
    """The answer is JSON that says why."""
    response = call("POST", url, body)
    assert response.status == 400
    assert loads(bytes(response.body))["error"]


def test_large_numbers_stay_text() -> None:
    """Beyond 18 digits an id is echoed as it came."""
    digits = "9" * 19
    response = call("GET", f"/example/user/getUserById?userId={digits}")
    assert loads(bytes(response.body))["id"] == digits


@pytest.mark.parametrize(
    ("url", "content"),
    [
        ("/example/user/login", Json({"userName": "juggle", "password": "123456"})),
        ("/example/user/login", Json(["no", "object"])),
        (ORDER, Form([("orderName", "送 10 元&=+"), ("userId", "1"), ("userId", "2")])),
    ],
)
def test_a_value_counts_as_much_as_its_bytes(url: str, content: Json | Form) -> None:
    """A flow hands over what it would send, and gets what it would receive."""
    response = send("POST", url, content)
    assert response == send("POST", url, bytes(content))
    assert isinstance(response.body, Json)
