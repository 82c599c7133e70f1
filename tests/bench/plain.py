"""The logic of ``sync_example`` as plain Python functions, for the *engine* benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

LOGIN = "/example/user/login"
USER = "/example/user/getUserById"
ORDER = "/example/order/placeOrder"

ANSWERS = {
    LOGIN: b'{"userId":1,"userName":"juggle","loginFlag":true}',
    USER: '{"id":1,"name":"张三","age":18,"birthday":"2023-11-19"}'.encode(),
    ORDER: '{"orderNo":"NO123","orderName":"送10元话费","userId":1}'.encode(),
}
"""What the stubs answer: ready bytes, for the engine and for the functions here."""

Send = Callable[[str, bytes], bytes]
"""Path with query, and body → the body of the answer."""


def stub(path: str, body: bytes) -> bytes:
    """A call that costs nothing."""
    return ANSWERS[path.partition("?")[0]]


def with_json(given: dict[str, str], send: Send = stub) -> dict[str, Any]:
    """Encodes every request and decodes every answer, as a client of real services must."""
    deposit = float(given.get("deposit", 0))
    body = json.dumps({"userName": given["userName"], "password": given["password"]}).encode()
    login = json.loads(send(LOGIN, body))
    if not login["loginFlag"]:
        return {"userName": None, "age": None, "orderName": None}
    user = json.loads(send(f"{USER}?{urlencode({'userId': login['userId']})}", b""))
    gift = "送10元话费" if deposit <= 100000 else "送一双耐克的鞋"
    form = urlencode({"orderName": gift, "userId": login["userId"]}).encode()
    order = json.loads(send(ORDER, form))
    return {"userName": login["userName"], "age": user["age"], "orderName": order["orderName"]}


VALUES: dict[str, dict[str, Any]] = {path: json.loads(raw) for path, raw in ANSWERS.items()}


def without_json(given: dict[str, str]) -> dict[str, Any]:
    """Only the logic: the calls return ready dictionaries."""
    deposit = float(given.get("deposit", 0))
    login = _call(LOGIN, {"userName": given["userName"], "password": given["password"]})
    if not login["loginFlag"]:
        return {"userName": None, "age": None, "orderName": None}
    user = _call(USER, {"userId": login["userId"]})
    gift = "送10元话费" if deposit <= 100000 else "送一双耐克的鞋"
    order = _call(ORDER, {"orderName": gift, "userId": login["userId"]})
    return {"userName": login["userName"], "age": user["age"], "orderName": order["orderName"]}


def _call(path: str, fields: dict[str, Any]) -> dict[str, Any]:
    return VALUES[path]
