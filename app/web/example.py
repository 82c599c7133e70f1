"""The built-in example APIs: pure functions in one table, called over HTTP and in process.

They mirror those of Juggle, need no token, and keep nothing (``docs/open-api.md``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import flask

from app.http import form
from app.http.local import Handler, Routes
from app.http.message import Content, Form, Json, Response
from app.strict_json import JsonError, loads

Fields = dict[str, Any]
"""What the caller sent: text from a query or form, any JSON value from a JSON body."""

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


def login(fields: Fields) -> Fields:
    """One user is known: juggle, with the password 123456."""
    if fields.get("userName") == "juggle" and fields.get("password") == "123456":
        return {"userId": 1, "userName": "juggle", "loginFlag": True}
    return {"userId": None, "userName": None, "loginFlag": False}


def get_user(fields: Fields, today: date) -> Fields:
    """Any id is the id of the same person, who has birthday today."""
    identity = _number(fields.get("userId"))
    return {"id": identity, "name": "张三", "age": 18, "birthday": today.isoformat()}


def release_goods(fields: Fields) -> Fields:
    """The goods as they were sent, with an id."""
    name, inventory = fields.get("goodsName"), _number(fields.get("goodsInventory"))
    return {"goodsId": 999, "goodsName": name, "goodsInventory": inventory}


def get_goods(fields: Fields) -> Fields:
    """The goods as they were sent, with an id and a price."""
    return {**release_goods(fields), "goodsPrice": 189.59}


def place_order(fields: Fields) -> Fields:
    """The order as it was sent, with a number."""
    return _order("NO123", fields)


def get_order(fields: Fields) -> Fields:
    """Any number is the number of the same order."""
    return {"orderNo": fields.get("orderNo"), "orderName": "测试订单", "userId": 1}


def get_orders(fields: Fields) -> Fields:
    """Two orders, named as asked for."""
    orders = [_order(number, fields) for number in ("NO123", "NO456")]
    return {"userId": _number(fields.get("userId")), "orderList": orders}


def example_routes(today: Callable[[], date]) -> Routes:
    """Every example API; ``today`` says which day it is."""
    return {
        ("POST", "/example/user/login"): _handler(login, _json_fields),
        ("GET", "/example/user/getUserById"): _handler(lambda f: get_user(f, today())),
        ("GET", "/example/goods/releaseGoods"): _handler(release_goods, _json_fields),
        ("GET", "/example/goods/getGoodsInfo"): _handler(get_goods, _json_fields),
        ("POST", "/example/order/placeOrder"): _handler(place_order, _form_fields),
        ("GET", "/example/order/getOrderByNo"): _handler(get_order),
        ("GET", "/example/order/getUserOrderList"): _handler(get_orders),
    }


def create_blueprint(routes: Routes) -> flask.Blueprint:
    """The same routes over HTTP."""
    blueprint = flask.Blueprint("example", __name__)
    for (method, path), handler in routes.items():
        name = path.rpartition("/")[2]
        blueprint.add_url_rule(path, name, _view(handler), methods=[method])
    return blueprint


def _view(handler: Handler) -> Callable[[], flask.Response]:
    def view() -> flask.Response:
        query = flask.request.query_string.decode(errors="replace")
        response = handler(query, flask.request.get_data())
        return flask.Response(bytes(response.body), response.status, dict(response.headers))

    return view


def _handler(
    answer: Callable[[Fields], Fields], read_body: Callable[[Content], Fields] | None = None
) -> Handler:
    """Reads the query, and the body over it; what cannot be read is answered with 400."""

    def handle(query: str, body: Content) -> Response:
        try:
            fields = dict(form.parse(query)) if query else {}
            if body and read_body:
                fields |= read_body(body)
        except ValueError as error:
            return _response(400, {"error": str(error)})
        return _response(200, answer(fields))

    return handle


def _form_fields(body: Content) -> Fields:
    return dict(body.pairs if isinstance(body, Form) else form.parse(bytes(body)))


def _json_fields(body: Content) -> Fields:
    fields = body.value if isinstance(body, Json) else loads(bytes(body))
    if not isinstance(fields, dict):
        raise JsonError("the body is not a JSON object")
    return fields


def _response(status: int, value: Fields) -> Response:
    return Response(status, {"content-type": "application/json"}, Json(value))


def _order(number: str, fields: Fields) -> Fields:
    user = _number(fields.get("userId"))
    return {"orderNo": number, "orderName": fields.get("orderName"), "userId": user}


def _number(value: Any) -> Any:
    """A whole number for text that is one."""
    is_number = isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value)
    return int(value) if is_number else value
