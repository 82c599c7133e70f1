"""The recipe of one message to many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.blackbox.client import eventually
from tests.cookbook.recipe import Recipe, served
from tests.downstream import WAIT_SECONDS, Request, down
from tests.transports.servers import closed_port

NAMES = [*(f"Partner {number}" for number in range(10)), "Corner Shop", "Old Mill"]
RESULT_WITHOUT_ONE = {"told": 11, "failed": [{"partner": "Old Mill", "problem": "connection"}]}
AT_ONCE = 5
ANSWER_SECONDS = 0.05
"""How long a partner takes once five of them are asked: long enough for a sixth to come."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    """The recipe, for all tests here."""
    apis = {"directory": down, "chat": down, "partners": down}
    with served(tmp_path_factory.mktemp("fan-out"), "fan-out", **apis) as recipe:
        yield recipe


@pytest.fixture
def recipe(shared: Recipe) -> Recipe:
    """The recipe beside a directory, a chat, and eleven partners in one server."""
    urls = [f"{shared.apis['partners'].url}/{number}" for number in range(11)]
    listed = [*urls, f"http://127.0.0.1:{closed_port()}"]
    directory = [{"name": name, "url": url} for name, url in zip(NAMES, listed, strict=True)]

    def partner(call: Request) -> Any:
        """Partners answer when five have been asked; one says no."""
        eventually(lambda: shared.apis["partners"].most, lambda most: most >= AT_ONCE)
        threading.Event().wait(ANSWER_SECONDS)
        return (503, {}) if call.line.startswith("PUT /10/") else {}

    shared.reset(directory=lambda _: directory, chat=lambda _: {}, partners=partner)
    return shared


def test_the_page(recipe: Recipe) -> None:
    """Five at a time; one that says no is asked twice, and one is not there; one report."""
    recipe.type_next()
    partners, chat = recipe.apis["partners"], recipe.apis["chat"]
    eventually(lambda: chat.requests, bool)
    assert partners.most == AT_ONCE
    assert sorted(partners.lines) == sorted(
        f"PUT /{number}/prices/tea-1" for number in [*range(11), 10]
    )
    assert all(call.json == {"price": 4.5} for call in partners.requests)
    text = "Price of tea-1: not told to Corner Shop, Old Mill"
    assert [call.json for call in chat.requests] == [{"text": text}]
    recipe.type_next()
    assert recipe.is_typed()
    assert partners.most == AT_ONCE


def test_nothing_is_reported_when_all_are_told(recipe: Recipe) -> None:
    """The chat stays silent."""
    recipe.apis["directory"].respond = lambda _: []
    run = recipe.client.trigger("price_changed", sku="tea-1", price=4.5).run_id
    assert recipe.client.ended(run).envelope["result"] == {"told": 0, "failed": []}
    assert not recipe.apis["chat"].requests


def test_a_run_that_died_goes_on_with_those_not_told_yet(recipe: Recipe) -> None:
    """Those that had answered hear nothing again; those under way hear it with the same key."""
    partners, go_on = recipe.apis["partners"], threading.Event()
    seven = threading.Semaphore(7)

    def hold(_: Request) -> Any:
        assert seven.acquire(blocking=False) or go_on.wait(WAIT_SECONDS)
        return {}

    partners.respond = hold
    run = recipe.client.trigger("price_changed", sku="tea-1", price=4.5).run_id
    eventually(lambda: len(partners.requests), (11).__eq__)
    recipe.kill_worker()
    go_on.set()
    assert recipe.client.ended(run).envelope["result"] == RESULT_WITHOUT_ONE
    before, after = partners.requests[:11], partners.requests[11:]
    assert len(after) == 4
    assert {(call.line, call.key) for call in after} <= {(call.line, call.key) for call in before}
