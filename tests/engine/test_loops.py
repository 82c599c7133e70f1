"""Loops: for_each and repeat."""

from __future__ import annotations

import pytest

from app.errors import FlowFailed, FlowTimeout
from app.http.message import Response
from tests.engine.world import World, json_answer


def test_each_item_has_its_round() -> None:
    """`item` and `index` are those of the round, and `collect` gathers in order."""
    world = World()
    outputs = world.run(
        """
        inputs: {names: {type: list, items: string}}
        outputs: {found: list}
        steps:
          - id: greetings
            for_each: inputs.names
            steps:
              - set: {text: "${index}: ${upper(item)}"}
            collect: vars.text
          - return: {found: "${steps.greetings}"}
        """,
        names=["a", "b"],
    )
    assert outputs == {"found": ["0: A", "1: B"]}


def test_what_a_round_sets_the_next_one_reads() -> None:
    """Rounds that run one after the other share their variables with what stands around them."""
    outputs = World().run(
        """
        outputs: {total: integer}
        steps:
          - set: {total: 0}
          - for_each: [1, 2, 3]
            steps:
              - set: {total: "${vars.total + item}"}
          - return: {total: "${vars.total}"}
        """
    )
    assert outputs == {"total": 6}


def test_rounds_at_once_have_variables_of_their_own() -> None:
    """With `concurrency` a round begins with what was set before the loop."""
    outputs = World().run(
        """
        outputs: {found: list}
        steps:
          - set: {start: 10}
          - id: sums
            for_each: [1, 2, 3]
            concurrency: 2
            steps:
              - set: {sum: "${vars.start + item}"}
            collect: vars.sum
          - return: {found: "${steps.sums}"}
        """
    )
    assert outputs == {"found": [11, 12, 13]}


def test_ids_are_of_their_round() -> None:
    """A step that a round leaves out is not there, even if the round before had it."""
    world = World([json_answer('{"n": 7}')])
    outputs = world.run(
        """
        outputs: {found: list}
        steps:
          - id: calls
            for_each: [true, false]
            steps:
              - id: call
                when: item
                http: GET https://example.com/
            collect: default(steps.call.body.n, 0)
          - return: {found: "${steps.calls}"}
        """
    )
    assert outputs == {"found": [7, 0]}


def test_loops_within_loops() -> None:
    """The inner loop's `item` is its own, and the outer one's comes back behind it."""
    outputs = World().run(
        """
        outputs: {found: list}
        steps:
          - id: rows
            for_each: [[1, 2], [3]]
            steps:
              - id: row
                for_each: item
                steps: [{set: {doubled: "${item * 2}"}}]
                collect: vars.doubled
            collect: "[index, steps.row, item]"
          - return: {found: "${steps.rows}"}
        """
    )
    assert outputs == {"found": [[0, [2, 4], [1, 2]], [1, [6], [3]]]}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_round_that_fails_ends_the_loop(concurrency: int) -> None:
    """The failure is the step's own, so `on_error` beside the loop handles it."""
    world = World([json_answer("{}"), Response(500, {}, b"down")])
    outputs = world.run(
        f"""
        outputs: {{error: string}}
        steps:
          - for_each: [1, 2, 3]
            concurrency: {concurrency}
            steps:
              - http: GET https://example.com/${{item}}
            on_error:
              - return: {{error: "${{error.kind}} ${{error.status}}"}}
        """
    )
    assert outputs == {"error": "status 500"}
    assert len(world.requests) == 2


@pytest.mark.parametrize("concurrency", [1, 3])
def test_return_ends_the_flow_from_within(concurrency: int) -> None:
    """Nothing after it runs, neither in the loop nor behind it."""
    outputs = World().run(
        f"""
        outputs: {{found: integer}}
        steps:
          - for_each: [1, 2, 3]
            concurrency: {concurrency}
            steps:
              - if: item == 2
                then:
                  - return: {{found: "${{item}}"}}
          - return: {{found: 0}}
        """
    )
    assert outputs == {"found": 2}


def test_too_many_items_are_a_failure() -> None:
    """`max_items` bounds what a caller can make a flow do."""
    with pytest.raises(FlowFailed, match="the list has 3 items, more than `max_items: 2`"):
        World().run(
            """
            steps:
              - for_each: [1, 2, 3]
                max_items: 2
                steps: [{log: "${item}"}]
            """
        )


def test_only_a_list_has_items() -> None:
    """Something else is a failure that says what it was."""
    with pytest.raises(FlowFailed, match="`for_each` needs a list, not an object"):
        World().run(
            """
            inputs: {order: object}
            steps:
              - for_each: inputs.order
                steps: [{log: "${item}"}]
            """,
            order={"a": 1},
        )


POLL = """
    outputs: {{state: string, rounds: integer}}
    steps:
      - repeat: {{until: steps.job.body.state != 'busy', every: 1s, max: {most}}}
        steps:
          - id: job
            http: GET https://example.com/job
          - set: {{rounds: "${{index + 1}}"}}
      - return: {{state: "${{steps.job.body.state}}", rounds: "${{vars.rounds}}"}}
    """


def busy_until(number: int) -> World:
    """A job that is done at the nth look."""
    answers = ['{"state": "busy"}'] * (number - 1) + ['{"state": "done"}']
    return World(map(json_answer, answers))


def test_repeat_ends_when_its_condition_holds() -> None:
    """It waits between two rounds, not behind the last; the last round's results stay."""
    world = busy_until(3)
    assert world.run(POLL.format(most=5)) == {"state": "done", "rounds": 3}
    assert world.waits == [1.0, 1.0]


def test_repeat_gives_up() -> None:
    """A condition that never holds is a failure."""
    with pytest.raises(FlowFailed, match="did not hold after 2 rounds"):
        busy_until(3).run(POLL.format(most=2))


def test_a_wait_past_the_deadline_ends_at_once() -> None:
    """Nobody waits for what can only be too late."""
    world = World()
    flow = """
        timeout: 10s
        steps:
          - wait: 8s
          - wait: 3s
        """
    with pytest.raises(FlowTimeout, match="a wait of 3 s would end after the deadline"):
        world.run(flow)
    assert world.waits == [8.0]


def test_repeat_within_its_timeout() -> None:
    """`timeout` bounds all the rounds, and `on_error` handles that."""
    outputs = busy_until(50).run(
        """
        outputs: {kind: string}
        steps:
          - repeat: {until: steps.job.body.state == 'done', every: 1s, max: 100}
            timeout: 5s
            steps:
              - id: job
                http: GET https://example.com/job
            on_error:
              - return: {kind: "${error.kind}"}
        """
    )
    assert outputs == {"kind": "timeout"}


def test_answers_go_to_their_round() -> None:
    """Rounds at once on real threads: each reads its own answer, and the list is in order."""
    world = World(concurrent=True)
    world.answer = lambda request: json_answer(f'"{request.url[-1]}"')
    outputs = world.run(
        """
        inputs: {names: list}
        outputs: {found: list}
        steps:
          - id: calls
            for_each: inputs.names
            concurrency: 8
            steps:
              - id: call
                http: GET https://example.com/${item}
            collect: steps.call.body
          - return: {found: "${steps.calls}"}
        """,
        names=list("abcdefghijklmnopqrstuvwxyz"),
    )
    assert outputs == {"found": list("abcdefghijklmnopqrstuvwxyz")}


def test_concurrency_is_bounded() -> None:
    """No more rounds than `concurrency` are under way at once."""
    world = World(concurrent=True)
    gauge = world.gauge()
    world.run(
        """
        steps:
          - for_each: [1, 2, 3, 4, 5, 6, 7, 8]
            concurrency: 3
            steps:
              - http: GET https://example.com/
        """
    )
    assert 1 < gauge.most <= 3
