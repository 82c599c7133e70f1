"""The recipe of one message to many."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blackbox.client import eventually
from tests.cookbook.api import WAIT_SECONDS, Api, Call
from tests.cookbook.recipe import Recipe, served
from tests.transports.servers import closed_port

NAMES = [*(f"Partner {number}" for number in range(10)), "Corner Shop", "Old Mill"]
RESULT_WITHOUT_ONE = {"told": 11, "failed": [{"partner": "Old Mill", "problem": "connection"}]}
ANSWER_SECONDS = 0.05
"""How long a partner takes: long enough that five of them meet."""


def partner(call: Call) -> Any:
    """Partners answer after a while; one says no."""
    threading.Event().wait(ANSWER_SECONDS)
    return (503, {}) if call.line.startswith("PUT /10/") else {}


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[Recipe]:
    """The recipe beside a directory, a chat, and eleven partners in one server."""
    partners = Api(partner)
    urls = [f"{partners.url}/{number}" for number in range(11)]
    listed = [*urls, f"http://127.0.0.1:{closed_port()}"]
    directory = [{"name": name, "url": url} for name, url in zip(NAMES, listed, strict=True)]
    apis = {
        "directory": Api(lambda _: directory),
        "chat": Api(lambda _: {}),
        "partners": partners,
    }
    with served(tmp_path, "fan-out", **apis) as recipe:
        yield recipe


def test_the_page(recipe: Recipe) -> None:
    """Five at a time; one that says no is asked twice, and one is not there; one report."""
    recipe.type_next()
    partners, chat = recipe.apis["partners"], recipe.apis["chat"]
    eventually(lambda: chat.calls, bool)
    assert partners.most == 5
    assert sorted(partners.lines) == sorted(
        f"PUT /{number}/prices/tea-1" for number in [*range(11), 10]
    )
    assert all(call.body == {"price": 4.5} for call in partners.calls)
    text = "Price of tea-1: not told to Corner Shop, Old Mill"
    assert [call.body for call in chat.calls] == [{"text": text}]
    recipe.type_next()
    assert recipe.is_typed()
    assert partners.most == 5


def test_nothing_is_reported_when_all_are_told(recipe: Recipe) -> None:
    """The chat stays silent."""
    recipe.apis["directory"].respond = lambda _: []
    run = recipe.client.trigger("price_changed", sku="tea-1", price=4.5).run_id
    assert recipe.client.ended(run).envelope["result"] == {"told": 0, "failed": []}
    assert not recipe.apis["chat"].calls


def test_a_run_that_died_goes_on_with_those_not_told_yet(recipe: Recipe) -> None:
    """Those that had answered hear nothing again; those under way hear it with the same key."""
    partners, go_on = recipe.apis["partners"], threading.Event()
    seven = threading.Semaphore(7)

    def claim(_: Call) -> Any:
        assert seven.acquire(blocking=False) or go_on.wait(WAIT_SECONDS)
        return {}

    partners.respond = claim
    run = recipe.client.trigger("price_changed", sku="tea-1", price=4.5).run_id
    eventually(lambda: len(partners.calls), (11).__eq__)
    os.kill(recipe.server.workers[0], signal.SIGKILL)
    go_on.set()
    assert recipe.client.ended(run, 20).envelope["result"] == RESULT_WITHOUT_ONE
    before, after = partners.calls[:11], partners.calls[11:]
    assert len(after) == 4
    assert {(call.line, call.key) for call in after} <= {(call.line, call.key) for call in before}
