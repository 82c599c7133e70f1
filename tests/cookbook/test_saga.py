"""The recipe of an order that undoes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.blackbox.client import Answer, eventually
from tests.cookbook.recipe import Recipe, served
from tests.cookbook.things import Things
from tests.downstream import Downstream, Request

SYSTEMS = ("warehouse", "payment", "shipping")
FORWARD = ["POST /reservations", "POST /charges", "POST /parcels"]
UNDOING = ["DELETE /parcels/A-1", "DELETE /charges/A-1", "DELETE /reservations/A-1"]


def parcel(order: Any) -> Any:
    """Shipping: no pianos."""
    return (422, {"reason": "too heavy"}) if order["order"] == "A-2" else {"parcel": "P-1"}


class Shop:
    """The three systems; ``log`` has every request, in the order in which they came."""

    def __init__(self) -> None:
        self.log: list[Request] = []
        self.things = {
            "warehouse": Things(lambda order: {"goods": order["article"]}),
            "payment": Things(lambda order: {"paid": order["amount"]}),
            "shipping": Things(parcel),
        }
        self.responds = {name: self._logged(each) for name, each in self.things.items()}

    def _logged(self, respond: Callable[[Request], Any]) -> Callable[[Request], Any]:
        def log(call: Request) -> Any:
            self.log.append(call)
            return respond(call)

        return log

    @property
    def lines(self) -> list[str]:
        """Every request line so far."""
        return [call.line for call in self.log]

    @property
    def holdings(self) -> list[int]:
        """How much each of the three holds."""
        return [len(each.things) for each in self.things.values()]

    @property
    def made(self) -> list[int]:
        """How much each of the three ever made."""
        return [each.made for each in self.things.values()]


@pytest.fixture
def shop() -> Shop:
    """Three systems that are well."""
    return Shop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    """The recipe, for all tests here."""
    with served(tmp_path_factory.mktemp("saga"), "saga", **Shop().responds) as recipe:
        yield recipe


@pytest.fixture
def recipe(shared: Recipe, shop: Shop) -> Recipe:
    """The recipe beside the three systems."""
    shared.reset(**shop.responds)
    return shared


def order(recipe: Recipe) -> str:
    """Place an order; its id."""
    goods = {"order": "A-1", "article": "tea", "number": 2, "amount": 9}
    return recipe.client.trigger("order", **goods).run_id


def ended(recipe: Recipe, run: str) -> Answer:
    """How it ended."""
    return recipe.client.ended(run)


def test_the_page(recipe: Recipe, shop: Shop) -> None:
    """One order is there, and of the other one nothing; it was undone from its end."""
    recipe.type_next()
    assert shop.lines == FORWARD
    recipe.type_next()
    assert recipe.is_typed()
    assert shop.lines[3:] == FORWARD + [line.replace("A-1", "A-2") for line in UNDOING]
    assert shop.holdings == [1, 1, 1]
    assert all(call.key for call in shop.log)
    assert len({call.key for call in shop.log}) == len(shop.log)


@pytest.mark.parametrize("failing", SYSTEMS)
def test_a_system_that_says_no(recipe: Recipe, shop: Shop, failing: str) -> None:
    """Whichever it is: what was done before is undone, at once, and nothing comes after."""
    shop.things[failing].make = lambda _: (409, {"reason": "we are full"})
    answer = ended(recipe, order(recipe))
    assert answer.envelope["errorCode"] == 4401
    assert answer.message == f"no order: {failing} said we are full"
    assert shop.lines == FORWARD[: SYSTEMS.index(failing) + 1] + UNDOING
    assert shop.holdings == [0, 0, 0]


def test_an_answer_that_is_lost_is_asked_for_again(recipe: Recipe, shop: Shop) -> None:
    """The payment was made, the connection broke: the same key, no second payment."""
    api, respond = recipe.apis["payment"], recipe.apis["payment"].respond
    lost = iter([True])

    def lose(call: Request) -> Any:
        answer = respond(call)
        return None if next(lost, False) else answer

    api.respond = lose
    assert ended(recipe, order(recipe)).envelope["result"] == {"parcel": "P-1"}
    assert api.lines == ["POST /charges"] * 2
    assert len({call.key for call in api.requests}) == 1
    assert shop.made == [1, 1, 1]


def test_no_answer_at_all_is_undone_too(recipe: Recipe, shop: Shop) -> None:
    """Every answer of the payment is lost, although the money was taken: it is given back."""
    api, respond = recipe.apis["payment"], recipe.apis["payment"].respond

    def lose(call: Request) -> Any:
        answer = respond(call)
        return None if call.line.startswith("POST") else answer

    api.respond = lose
    assert ended(recipe, order(recipe)).envelope["errorCode"] == 4401
    assert api.lines == ["POST /charges"] * 4 + ["DELETE /charges/A-1"]
    assert shop.made == [1, 1, 0]
    assert shop.holdings == [0, 0, 0]


@pytest.mark.parametrize("at", FORWARD)
def test_a_process_that_dies_on_the_way(recipe: Recipe, shop: Shop, at: str) -> None:
    """The order is there once, whichever request was under way."""
    run, keys = kill_at(recipe, shop, at)
    assert ended(recipe, run).envelope["result"] == {"parcel": "P-1"}
    assert len(keys) == 1
    assert shop.made == [1, 1, 1]
    assert shop.lines == [line for line in FORWARD for _ in range(1 + (line == at))]


@pytest.mark.parametrize("at", UNDOING)
def test_a_process_that_dies_while_it_undoes(recipe: Recipe, shop: Shop, at: str) -> None:
    """The undoing goes on where it was, and nothing is done a second time before it."""
    shop.things["shipping"].make = lambda _: (409, {"reason": "we are full"})
    run, keys = kill_at(recipe, shop, at)
    assert ended(recipe, run).message == "no order: shipping said we are full"
    assert len(keys) == 1
    assert shop.lines == FORWARD + [line for line in UNDOING for _ in range(1 + (line == at))]
    assert shop.holdings == [0, 0, 0]


def kill_at(recipe: Recipe, shop: Shop, line: str) -> tuple[str, set[str | None]]:
    """An order whose process is killed while this request is carried out and not answered.

    Returns its id, and the keys that the request has had, which fill up as it goes on.
    """
    keys: set[str | None] = set()
    for api in recipe.apis.values():
        api.respond = _holding(api, line, keys)
    run = order(recipe)
    eventually(lambda: keys, bool)
    recipe.kill_worker()
    for api in recipe.apis.values():
        api.is_open.set()
    return run, keys


def _holding(api: Downstream, line: str, keys: set[str | None]) -> Callable[[Request], Any]:
    respond = api.respond

    def hold(call: Request) -> Any:
        answer = respond(call)
        if call.line == line:
            if not keys:
                api.is_open.clear()
            keys.add(call.key)
        return answer

    return hold


def test_an_undoing_that_cannot_be_done(recipe: Recipe, shop: Shop) -> None:
    """It is tried four times; then the run names the step, and the goods are kept."""
    shop.things["shipping"].make = lambda _: (409, {"reason": "we are full"})
    api, respond = recipe.apis["payment"], recipe.apis["payment"].respond
    api.respond = lambda call: respond(call) if call.line.startswith("POST") else (503, {})
    answer = ended(recipe, order(recipe))
    assert answer.envelope["errorCode"] == 1
    assert "step `give the money back`" in answer.message
    assert api.lines[1:] == ["DELETE /charges/A-1"] * 4
    assert shop.holdings == [1, 1, 0]


def test_a_cancelled_order_is_not_undone(recipe: Recipe, shop: Shop) -> None:
    """What is under way goes on to its own end, and nothing follows it.

    The last test here: it stops the server.
    """
    payment = recipe.apis["payment"]
    payment.is_open.clear()
    run = order(recipe)
    eventually(lambda: payment.requests, bool)
    recipe.client.post(f"/v1/open/flow/instances/{run}/cancel", b"")
    payment.is_open.set()
    assert ended(recipe, run).envelope["errorCode"] == 2000061010
    assert recipe.server.stop() == 0
    assert shop.lines == FORWARD[:2]
    assert shop.holdings == [1, 1, 0]
