"""The same flow, written by hand as Flask views: what Siteswap is compared with.

Each function here makes an application; gunicorn calls it (``tests.bench.handwritten:mocked()``).
"""

from __future__ import annotations

import datetime
import hmac
import json
import os
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import urllib3
from flask import Flask, Response, request

from app.web import example
from tests.bench.workplace import TOKEN

Calls = tuple[
    Callable[[str, str], dict[str, Any]],
    Callable[[int], dict[str, Any]],
    Callable[[str, int], dict[str, Any]],
]
"""Log in with name and password; the user of an id; an order of a name for an id."""

Exchange = Callable[[str, str, dict[str, str], bytes], bytes]
"""Method, URL, headers and body → the body of the answer."""


def mocked() -> Flask:
    """The three calls are plain function calls."""
    return application(
        (
            lambda name, password: example.login({"userName": name, "password": password}),
            lambda user_id: example.get_user({"userId": user_id}, datetime.date.today()),
            lambda name, user_id: example.place_order({"orderName": name, "userId": user_id}),
        )
    )


def with_urllib3() -> Flask:
    """The three calls go over HTTP, by urllib3 with one pool for the process."""
    pool = urllib3.PoolManager(maxsize=64, retries=False)

    def exchange(method: str, url: str, headers: dict[str, str], body: bytes) -> bytes:
        response = pool.request(
            method, url, headers=headers, body=body or None, redirect=False, timeout=10.0
        )
        if response.status != 200:
            raise RuntimeError(f"{url} answered {response.status}")
        return response.data

    return application(over_http(exchange))


def over_http(exchange: Exchange) -> Calls:
    """The three calls by an HTTP client."""
    origin = os.environ["BENCH_DOWNSTREAM"]
    json_type = {"Content-Type": "application/json"}
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}

    def login(name: str, password: str) -> dict[str, Any]:
        body = json.dumps({"userName": name, "password": password}).encode()
        return _object(exchange("POST", f"{origin}/example/user/login", json_type, body))

    def get_user(user_id: int) -> dict[str, Any]:
        query = urlencode({"userId": user_id})
        return _object(exchange("GET", f"{origin}/example/user/getUserById?{query}", {}, b""))

    def place_order(name: str, user_id: int) -> dict[str, Any]:
        body = urlencode({"orderName": name, "userId": user_id}).encode()
        return _object(exchange("POST", f"{origin}/example/order/placeOrder", form_type, body))

    return login, get_user, place_order


def application(calls: Calls) -> Flask:
    """One route that runs the flow and answers in the envelope."""
    app = Flask("handwritten", static_folder=None)

    def trigger(version: str, key: str) -> Response:
        token = request.headers.get("Juggle-Token") or request.args.get("juggleToken", "")
        if not hmac.compare_digest(token.encode(), TOKEN.encode()):
            return _envelope(None, 2000011005, "令牌错误", 401)
        values = request.values
        try:
            name, password = values["userName"], values["password"]
            deposit = float(values.get("deposit", 0))
        except (KeyError, ValueError):
            return _envelope(None, 2000061004, "流程入参错误", 400)
        data = run(calls, name, password, deposit)
        run_id = f"sync_{secrets.token_hex(8)}"
        return _envelope({"flowInstanceId": run_id, "status": "FINISH", "data": data})

    app.add_url_rule(
        "/v1/open/flow/trigger/<version>/<key>", view_func=trigger, methods=["GET", "POST"]
    )
    return app


def run(calls: Calls, name: str, password: str, deposit: float) -> dict[str, Any]:
    """``flows/sync_example/v1.yaml`` in Python."""
    login, get_user, place_order = calls
    session = login(name, password)
    if not session["loginFlag"]:
        return {"userName": None, "age": None, "orderName": None}
    user = get_user(session["userId"])
    gift = "送10元话费" if deposit <= 100000 else "送一双耐克的鞋"
    order = place_order(gift, session["userId"])
    return {
        "userName": session["userName"],
        "age": user["age"],
        "orderName": order["orderName"],
    }


def _envelope(
    result: Any, code: int = 0, message: str | None = None, status: int = 200
) -> Response:
    envelope = {
        "success": status == 200,
        "errorCode": code,
        "errorMsg": message,
        "result": result,
    }
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    return Response(body, status, content_type="application/json; charset=utf-8")


def _object(body: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(body)
    return value
