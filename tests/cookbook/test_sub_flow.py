"""The recipe of one sub-flow that two flows use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.blackbox.client import eventually
from tests.cookbook.recipe import Recipe, served
from tests.downstream import Request


def catalog(call: Request) -> Any:
    """Has tea at 4.50."""
    return {"price": 4.5} if call.line == "GET /articles/tea" else (404, {})


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    """The recipe beside a catalogue and an order system."""
    order, folder = {"number": "A-1"}, tmp_path_factory.mktemp("sub-flow")
    with served(folder, "sub-flow", catalog=catalog, orders=lambda _: order) as recipe:
        yield recipe


def test_the_page(recipe: Recipe) -> None:
    """One order was sent, at the price of the rule; neither failure ordered anything."""
    recipe.type_all()
    assert [call.json for call in recipe.apis["orders"].requests] == [
        {"customer": 7, "article": "tea", "number": 10, "total": 40.5}
    ]


def test_a_new_rule_is_a_new_rule_for_both(recipe: Recipe) -> None:
    """A change of the called file changes its callers; one that makes no sense changes nothing."""

    def prices() -> list[float]:
        goods = {"article": "tea", "number": 10}
        quote = recipe.client.trigger("quote", **goods)
        return [
            quote.data["total"],
            recipe.client.trigger("order_goods", customer=7, **goods).data["total"],
        ]

    file = recipe.server.flows / "price" / "v1.yaml"
    rule = file.read_text()
    assert prices() == [45, 40.5]
    recipe.server.write_flow("price", rule.replace("{10 if", "{20 if"))
    eventually(prices, [45, 36].__eq__)
    recipe.server.write_flow("price", rule.replace("  article: string", "  product: string"))
    eventually(lambda: "price/v1.yaml" in recipe.server.log, bool)
    assert prices() == [45, 36]
    recipe.server.write_flow("price", rule)
    eventually(prices, [45, 40.5].__eq__)
