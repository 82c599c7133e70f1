"""The recipe of one page from three APIs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cookbook.recipe import Recipe, served
from tests.downstream import Request, Respond, down

ORDERS = [{"number": "A-1", "total": 20.5}, {"number": "A-2", "total": 9}]


def crm(call: Request) -> Any:
    """Knows Ada, and nobody else."""
    return {"id": 7, "name": "Ada"} if call.line == "GET /customers/7" else (404, {})


APIS: dict[str, Respond] = {
    "crm": crm,
    "orders": lambda _: ORDERS,
    "billing": lambda _: {"balance": 12.5},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    """The recipe, for all tests here."""
    with served(tmp_path_factory.mktemp("page"), "customer-page", **APIS) as recipe:
        yield recipe


@pytest.fixture
def recipe(shared: Recipe) -> Recipe:
    """The recipe beside three APIs that are well."""
    shared.reset(**APIS)
    return shared


def test_the_page(recipe: Recipe) -> None:
    """All well; then orders is down; then the CRM, which is asked twice; then nobody is found."""
    recipe.type_next()
    assert recipe.calls("crm", "orders", "billing") == [
        "GET /customers/7",
        "GET /orders?customer=7&limit=3",
        "GET /accounts/7",
    ]
    recipe.apis["orders"].respond = down
    recipe.type_next()
    recipe.apis["crm"].respond = down
    recipe.type_next()
    assert recipe.calls("crm") == ["GET /customers/7"] * 4
    recipe.apis["crm"].respond, recipe.apis["orders"].respond = crm, APIS["orders"]
    recipe.type_next()
    assert recipe.is_typed()


def test_the_requests_are_sent_at_once(recipe: Recipe) -> None:
    """Each API holds its answer back until all three have been asked; none is asked again."""
    asked: list[Request] = []

    def ask(respond: Any) -> Any:
        def together(call: Request) -> Any:
            asked.append(call)
            if len(asked) == 3:
                for api in recipe.apis.values():
                    api.is_open.set()
            return respond(call)

        return together

    for api in recipe.apis.values():
        api.respond = ask(api.respond)
        api.is_open.clear()
    answer = recipe.client.trigger("customer_page", id=7)
    assert answer.data["missing"] == []
    assert len(asked) == 3


@pytest.mark.parametrize("silent", ["orders", "billing"])
def test_an_extra_that_does_not_answer_costs_its_timeout(recipe: Recipe, silent: str) -> None:
    """The page is there after a second, with a default for that part."""
    recipe.apis[silent].is_open.clear()
    answer = recipe.client.trigger("customer_page", id=7)
    recipe.apis[silent].is_open.set()
    assert answer.data["customer"] == {"id": 7, "name": "Ada"}
    assert answer.data["missing"] == [silent]
    assert 1 <= answer.seconds < 2


def test_both_extras_may_be_down_at_once(recipe: Recipe) -> None:
    """One breaks the connection off, the other answers nonsense."""
    recipe.apis["orders"].respond = lambda _: None
    recipe.apis["billing"].respond = lambda _: (500, "nonsense")
    assert recipe.client.trigger("customer_page", id=7).data == {
        "customer": {"id": 7, "name": "Ada"},
        "orders": [],
        "balance": None,
        "missing": ["orders", "billing"],
    }
