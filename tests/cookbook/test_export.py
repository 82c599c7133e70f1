"""The recipe of a slow export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.blackbox.client import eventually
from tests.cookbook.recipe import Recipe, served
from tests.downstream import Request, down

DONE = {"state": "done", "file": "/files/2026-10.csv", "rows": 1200}
RESULT = {"file": "/files/2026-10.csv", "rows": 1200}
MANY = 40
"""More exports than a process carries out at once."""


class Reports:
    """Makes a job of each order it has not seen; jobs are as ``state`` says."""

    def __init__(self) -> None:
        self.jobs: dict[str | None, int] = {}
        self.state: dict[str, Any] = {"state": "running"}

    def __call__(self, call: Request) -> Any:
        """Answer one request."""
        if call.line == "POST /jobs":
            return {"id": self.jobs.setdefault(call.key, len(self.jobs) + 1)}
        return self.state


@pytest.fixture
def reports() -> Reports:
    """A reports system whose jobs are running."""
    return Reports()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    """The recipe, for all tests here."""
    with served(tmp_path_factory.mktemp("export"), "export", reports=down, asker=down) as recipe:
        yield recipe


@pytest.fixture
def recipe(shared: Recipe, reports: Reports) -> Recipe:
    """The recipe, and a client who wants to be told."""
    shared.reset(reports=reports, asker=lambda _: {})
    return shared


def start(recipe: Recipe) -> str:
    """Begin an export; its id, once the job has been looked at and is running."""
    run = recipe.client.trigger("export", month="2026-10", tell=recipe.apis["asker"].url)
    eventually(lambda: recipe.calls("reports"), lambda lines: "GET /jobs/1" in lines)
    return run.run_id


def told(recipe: Recipe) -> Any:
    """The envelope that was posted to the asker."""
    calls = eventually(lambda: recipe.apis["asker"].requests, bool)
    return calls[0].json


def test_the_page(recipe: Recipe, reports: Reports) -> None:
    """The job is running when it is looked at first, and done at the second look."""
    looks = iter([{"state": "running"}])
    whole = recipe.apis["reports"].respond

    def respond(call: Request) -> Any:
        return whole(call) if call.line.startswith("POST") else next(looks, DONE)

    recipe.apis["reports"].respond = respond
    recipe.type_next()
    assert recipe.is_typed()
    assert recipe.calls("reports") == ["POST /jobs", "GET /jobs/1", "GET /jobs/1"]


def test_a_run_that_waits_survives_its_process(recipe: Recipe, reports: Reports) -> None:
    """The job is not ordered again, and who asked is told once."""
    run = start(recipe)
    recipe.kill_worker()
    reports.state = DONE
    assert recipe.client.ended(run).envelope["result"] == RESULT
    assert recipe.calls("reports").count("POST /jobs") == 1
    result = {"flowInstanceId": run, "status": "FINISH", "data": RESULT}
    assert told(recipe)["result"] == result
    assert recipe.calls("asker") == ["POST /"]


def test_an_order_under_way_is_sent_again_with_its_key(recipe: Recipe, reports: Reports) -> None:
    """Two requests, one job."""
    api = recipe.apis["reports"]
    api.is_open.clear()
    reports.state = DONE
    run = recipe.client.trigger("export", month="2026-10").run_id
    eventually(lambda: api.requests, bool)
    recipe.kill_worker()
    api.is_open.set()
    assert recipe.client.ended(run).envelope["result"] == RESULT
    orders = [call for call in api.requests if call.line == "POST /jobs"]
    assert len(orders) == 2
    assert orders[0].key == orders[1].key
    assert len(reports.jobs) == 1


def test_a_job_that_failed_says_why(recipe: Recipe, reports: Reports) -> None:
    """To who polls and to who is told."""
    reports.state = {"state": "failed", "reason": "no such month"}
    run = start(recipe)
    assert recipe.client.ended(run).envelope["errorMsg"] == "the export failed: no such month"
    assert told(recipe)["errorCode"] == 4201


def test_a_job_that_takes_too_long(recipe: Recipe) -> None:
    """The time of the loop bounds it, here one that is shorter than the page's."""
    text = (recipe.server.flows / "export" / "v1.yaml").read_text()
    recipe.server.write_flow("short", text.replace("timeout: 1h", "timeout: 4s"))
    short = eventually(
        lambda: recipe.client.trigger("short", month="2026-10"),
        lambda answer: answer.status == 200,
    )
    answer = recipe.client.ended(short.run_id)
    assert answer.envelope["errorCode"] == 1
    assert "step `wait for the job`: took longer than 4 s" in answer.message


def test_a_reports_system_that_is_down_for_a_moment(recipe: Recipe, reports: Reports) -> None:
    """Its first answer is a 503; nobody notices."""
    busy: Iterator[Any] = iter([(503, {})])
    reports.state = DONE
    recipe.apis["reports"].respond = lambda call: next(busy, None) or reports(call)
    assert recipe.client.ended(start(recipe)).envelope["result"] == RESULT


def test_waiting_exports_hold_neither_threads_nor_places(recipe: Recipe, reports: Reports) -> None:
    """All of them have ordered their jobs before a single one is done.

    The last test here: what it leaves waiting would be seen by the others.
    """
    for _ in range(MANY):
        recipe.client.trigger("export", month="2026-10")
    eventually(lambda: len(reports.jobs), MANY.__eq__)
    reports.state = DONE
