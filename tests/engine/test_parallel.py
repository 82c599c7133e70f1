"""Branches at once."""

from __future__ import annotations

import threading

import pytest

from app.errors import FlowFailed
from app.http.message import Request, Response
from tests.engine.world import Answer, World, json_answer

SECONDS = 10.0


def by_path(request: Request) -> Answer:
    """An answer that tells which request it is for."""
    return json_answer(f'{{"path": "{request.url.rpartition("/")[2]}"}}')


@pytest.mark.parametrize("concurrent", [False, True])
def test_the_result_has_what_each_branch_gives(concurrent: bool) -> None:
    """A branch gives what its last step gives: an answer, what `set` sets, a loop's list."""
    world = World(concurrent=concurrent)
    world.answer = by_path
    outputs = world.run(
        """
        outputs: {user: string, sum: integer, list: list, none: string}
        steps:
          - id: page
            parallel:
              user:
                - http: GET https://example.com/user
              sum:
                - set: {a: 1}
                - set: {b: "${vars.a + 1}"}
              list:
                - for_each: [1, 2]
                  steps: [{log: "${item}"}]
                  collect: item * 10
              none:
                - log: nothing
          - return:
              user: ${steps.page.user.body.path}
              sum: ${steps.page.sum.b + vars.b}
              list: ${steps.page.list}
              none: ${steps.page.none}
        """
    )
    assert outputs == {"user": "user", "sum": 4, "list": [10, 20], "none": None}


def test_branches_really_run_at_once() -> None:
    """Each waits for the other's request."""
    world = World(concurrent=True)
    meeting = threading.Barrier(3, timeout=SECONDS)

    def answer(request: Request) -> Answer:
        meeting.wait()
        return json_answer("{}")

    world.answer = answer
    world.run(
        """
        steps:
          - parallel:
              a: [{http: GET https://example.com/a}]
              b: [{http: GET https://example.com/b}]
              c: [{http: GET https://example.com/c}]
        """
    )


def test_a_failing_branch_stops_the_others_at_their_next_step() -> None:
    """What is under way is waited for; what comes after it is not begun."""
    world = World(concurrent=True)
    both = threading.Barrier(2, timeout=SECONDS)
    failed = threading.Event()

    def answer(request: Request) -> Answer:
        path = request.url.rpartition("/")[2]
        both.wait()
        if path == "bad":
            failed.set()
            return Response(500, {}, b"")
        assert failed.wait(SECONDS)
        return json_answer("{}")

    world.answer = answer
    outputs = world.run(
        """
        outputs: {step: string}
        steps:
          - parallel:
              good:
                - id: first
                  http: GET https://example.com/good
                - http: GET https://example.com/next
              bad:
                - id: broken
                  http: GET https://example.com/bad
            on_error:
              - return: {step: "${error.step}"}
        """
    )
    assert outputs == {"step": "broken"}
    assert sorted(each.url[-4:] for each in world.requests) == ["/bad", "good"]


def test_the_first_one_wins() -> None:
    """`wait: first` goes on without the others: one of them never answers."""
    world = World(concurrent=True)
    released = threading.Event()

    def answer(request: Request) -> Answer:
        if request.url.endswith("slow"):
            released.wait(SECONDS)
        return by_path(request)

    world.answer = answer
    try:
        outputs = world.run(
            """
            outputs: {winner: string, loser: string, set: string}
            steps:
              - id: race
                wait: first
                parallel:
                  a:
                    - http: GET https://example.com/slow
                    - set: {who: a}
                  b:
                    - http: GET https://example.com/fast
                    - set: {who: b}
              - return:
                  winner: ${steps.race.b.who}
                  loser: ${default(steps.race.a.who, null)}
                  set: ${default(vars.who, null)}
            """
        )
    finally:
        released.set()
    assert outputs == {"winner": "b", "loser": None, "set": "b"}


@pytest.mark.parametrize("concurrent", [False, True])
def test_a_race_goes_on_when_one_fails(concurrent: bool) -> None:
    """The first that ends well is meant; when none does, the first branch's failure stands."""
    world = World(concurrent=concurrent)
    flow = """
        outputs: {{path: string}}
        steps:
          - id: race
            wait: first
            parallel:
              a: [{{http: GET https://example.com/bad1}}]
              b: [{{http: GET https://example.com/{b}}}]
          - return: {{path: "${{steps.race.b.body.path}}"}}
        """
    world.answer = lambda r: Response(500, {}, b"") if "bad" in r.url else by_path(r)
    assert world.run(flow.format(b="good")) == {"path": "good"}
    with pytest.raises(FlowFailed, match="bad1 answered 500"):
        world.run(flow.format(b="bad2"))


def test_return_in_a_branch_ends_the_flow() -> None:
    """It ends it with the outputs of that branch."""
    outputs = World().run(
        """
        outputs: {from: string}
        steps:
          - set: {go: true}
          - parallel:
              a: [{set: {x: 1}}]
              b: [{when: vars.go, return: {from: b}}]
          - return: {from: end}
        """
    )
    assert outputs == {"from": "b"}


def test_branches_within_branches_are_all_stopped() -> None:
    """A failure stops also what runs inside of another branch."""
    world = World(concurrent=True)
    under_way = threading.Barrier(3, timeout=SECONDS)
    failed = threading.Event()

    def answer(request: Request) -> Answer:
        under_way.wait()
        if "bad" in request.url:
            failed.set()
            return Response(500, {}, b"")
        failed.wait(SECONDS)
        return json_answer("{}")

    world.answer = answer
    with pytest.raises(FlowFailed, match="bad"):
        world.run(
            """
            steps:
              - parallel:
                  bad: [{http: GET https://example.com/bad}]
                  inner:
                    - for_each: [1, 2]
                      concurrency: 2
                      steps:
                        - http: GET https://example.com/inner
                        - http: GET https://example.com/never
            """
        )
    assert not [each for each in world.requests if "never" in each.url]
