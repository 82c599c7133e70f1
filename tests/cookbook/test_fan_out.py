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
from tests.cookbook.api import Api, Call
from tests.cookbook.recipe import Recipe, served

NAMES = [*(f"Partner {number}" for number in range(10)), "Corner Shop", "Old Mill"]
ANSWER_SECONDS = 0.05
"""How long a partner takes: long enough that five of them meet."""


def partner(call: Call) -> Any:
    """Partners answer after a while; one says no, and one breaks the connection off."""
    threading.Event().wait(ANSWER_SECONDS)
    if call.line.startswith("PUT /11/"):
        return None
    return (500, {}) if call.line.startswith("PUT /10/") else {}


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[Recipe]:
    """The recipe beside a directory, a chat, and twelve partners in one server."""
    partners = Api(partner)

    def directory(_: Call) -> Any:
        return [
            {"name": name, "url": f"{partners.url}/{number}"} for number, name in enumerate(NAMES)
        ]

    apis = {"directory": Api(directory), "chat": Api(lambda _: {}), "partners": partners}
    with served(tmp_path, "fan-out", **apis) as recipe:
        yield recipe


def test_the_page(recipe: Recipe) -> None:
    """Five were told at a time; those that failed were asked twice; the report went out once."""
    recipe.type_next()
    partners, chat = recipe.apis["partners"], recipe.apis["chat"]
    eventually(lambda: chat.calls, bool)
    assert partners.most == 5
    assert sorted(partners.lines) == sorted(
        f"PUT /{number}/prices/tea-1" for number in [*range(12), 10, 11]
    )
    assert all(call.body == {"price": 4.5} for call in partners.calls)
    text = "Price of tea-1: not told to Corner Shop, Old Mill"
    assert [call.body for call in chat.calls] == [{"text": text}]
    recipe.type_next()
    assert recipe.is_typed()
    assert partners.most == 5


def test_nothing_is_reported_when_all_are_told(recipe: Recipe) -> None:
    """The chat stays silent."""
    recipe.apis["partners"].respond = lambda _: {}
    run = recipe.client.trigger("price_changed", sku="tea-1", price=4.5).instance_id
    assert recipe.client.ended(run).envelope["result"] == {"told": 12, "failed": []}
    assert not recipe.apis["chat"].calls


def test_a_run_that_died_goes_on_with_those_not_told_yet(recipe: Recipe) -> None:
    """Those that had answered hear nothing again; those under way hear it with the same key."""
    partners = recipe.apis["partners"]
    partners.respond = lambda _: {}
    seven = threading.Semaphore(7)

    def held(call: Call) -> Any:
        if not seven.acquire(blocking=False):
            partners.is_open.clear()
        return {}

    partners.respond = held
    run = recipe.client.trigger("price_changed", sku="tea-1", price=4.5).instance_id
    eventually(lambda: len(partners.calls), (12).__eq__)
    os.kill(recipe.server.workers[0], signal.SIGKILL)
    partners.is_open.set()
    assert recipe.client.ended(run, 20).envelope["result"] == {"told": 12, "failed": []}
    repeated = partners.lines[12:]
    assert len(repeated) == 5
    assert {call.line: call.key for call in partners.calls[:12]}.items() >= {
        (call.line, call.key) for call in partners.calls[12:]
    }
