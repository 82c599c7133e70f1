"""The built-in example APIs over HTTP: no token, no envelope, and no harm from bad input."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from tests.blackbox.client import Body, Client, exchange, request


def call(client: Client, method: str, target: str, body: Body | None = None) -> dict[str, Any]:
    """The JSON object that an example API answers."""
    answer = exchange(client.port, request(method, target, {}, body))
    assert answer.status == 200, answer
    value: dict[str, Any] = json.loads(answer.body)
    return value


@pytest.mark.parametrize("user", [{"userName": "juggle", "password": "123456"}, {}])
def test_login(client: Client, user: dict[str, str]) -> None:
    """One user is known."""
    found = call(client, "POST", "/example/user/login", user)
    if user:
        assert found == {"userId": 1, "userName": "juggle", "loginFlag": True}
    else:
        assert found == {"userId": None, "userName": None, "loginFlag": False}


def test_user(client: Client) -> None:
    """The id is that of the query, the birthday today."""
    days = [date.today().isoformat()]
    found = call(client, "GET", "/example/user/getUserById?userId=7")
    days.append(date.today().isoformat())
    assert found.pop("birthday") in days
    assert found == {"id": 7, "name": "张三", "age": 18}


@pytest.mark.parametrize("is_body", [True, False])
@pytest.mark.parametrize("path", ["releaseGoods", "getGoodsInfo"])
def test_goods(client: Client, path: str, is_body: bool) -> None:
    """They come back as they were sent, in JSON or in the query."""
    target = f"/example/goods/{path}"
    if is_body:
        found = call(client, "GET", target, {"goodsName": "鞋", "goodsInventory": 5})
    else:
        found = call(client, "GET", f"{target}?goodsName=%E9%9E%8B&goodsInventory=5")
    assert found.pop("goodsPrice", None) == (189.59 if path == "getGoodsInfo" else None)
    assert found == {"goodsId": 999, "goodsName": "鞋", "goodsInventory": 5}


def test_orders(client: Client) -> None:
    """An order is placed by form or query, and read by number or by user."""
    order = {"orderNo": "NO123", "orderName": "a", "userId": 1}
    assert call(client, "POST", "/example/order/placeOrder", "orderName=a&userId=1") == order
    assert call(client, "POST", "/example/order/placeOrder?orderName=a&userId=1") == order
    found = call(client, "GET", "/example/order/getOrderByNo?orderNo=X")
    assert found == {"orderNo": "X", "orderName": "测试订单", "userId": 1}
    found = call(client, "GET", "/example/order/getUserOrderList?orderName=a&userId=1")
    assert found == {"userId": 1, "orderList": [order, {**order, "orderNo": "NO456"}]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"userName":NaN}', 400),
        (b'{"userName":"\\ud800"}', 400),
        (b"\xff", 400),
        (b"[" * 5000, 400),
        (b"[]", 400),
        (b" " * 1_000_001, 413),
    ],
)
def test_bad_input(client: Client, body: bytes, status: int) -> None:
    """It is refused, in JSON."""
    target = "/example/user/login"
    answer = exchange(client.port, request("POST", target, {}, body))
    assert answer.status == status
    assert json.loads(answer.body)


def test_a_body_that_ends_early(client: Client) -> None:
    """It is the sender's mistake, not a bug of the server's."""
    data = b"POST /example/user/login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
    assert client.send(data, half_close=True).outcome == (400, 400)
