"""Runs that wait: nobody holds them meanwhile, and they go on where they stood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.errors import Busy
from app.http.message import Response
from app.runs.failure_detector import suspended_until
from app.runs.run import Status
from app.runs.stores.memory import MemoryStore
from tests.life.world import LEASE, Crash, Unreliable, World

WAITS = """
    mode: async
    timeout: 3h
    outputs: {before: string, after: string}
    steps:
      - id: a
        http: POST /${flow.instanceId}/a
      - set: {before: "${now()}"}
      - wait: 1h
      - id: c
        http: POST /${flow.instanceId}/c
      - return: {before: "${vars.before}", after: "${now()}"}
    """

POLLS = """
    mode: async
    timeout: 10m
    steps:
      - repeat: {until: steps.look.body.step == 'done', every: 30s, max: 10}
        timeout: 5m
        steps:
          - id: look
            http: GET /${flow.instanceId}/look
    """


def make(tmp_path: Path, text: str) -> tuple[World, Unreliable]:
    """A world with one flow."""
    store = Unreliable(MemoryStore())
    world = World(store, tmp_path)
    world.flow("waits", text)
    return world, store


def test_a_waiting_run_is_in_nobodys_hands(tmp_path: Path) -> None:
    """It is queued for a time; no process counts it among its own, and none takes it early."""
    world, _ = make(tmp_path, WAITS)
    process = world.process()
    run = process.trigger("waits")
    process.hands.next()
    waiting = world.store.get(run)
    assert (waiting.status, waiting.queued) == (Status.RUNNING, True)
    assert waiting.owner == f"until/{int(world.wall + 3600)}"
    assert not process.runner.execution.under_way
    world.pass_time(3500)
    assert world.store.get(run) == waiting
    assert process.hands.ids == []


@pytest.mark.parametrize("survives", [True, False])
def test_it_goes_on_when_its_time_has_come(tmp_path: Path, survives: bool) -> None:
    """In the process that put it down, or in another that started meanwhile."""
    world, _ = make(tmp_path, WAITS)
    process = world.process()
    run = process.trigger("waits")
    process.hands.next()
    if not survives:
        process.die()
        process = world.process()
    world.pass_time(3700)
    process.execute_next()
    ended = world.store.get(run)
    assert ended.status is Status.FINISH
    assert ended.crashes == 0
    assert [step for _, step, _ in world.effects] == ["a", "c"]


def test_a_wait_is_not_begun_anew(tmp_path: Path) -> None:
    """A process that dies while a run waits takes nothing of the time that has passed."""
    world, store = make(tmp_path, WAITS)
    process = world.process()
    run = process.trigger("waits")
    store.mischief = ("release", "before", Crash)
    process.execute_next()
    assert process not in world.processes
    other = world.process()
    world.pass_time(LEASE * 2)
    other.execute_next()
    assert world.store.get(run).owner.startswith("until/")
    world.pass_time(3600)
    other.execute_next()
    assert world.store.get(run).status is Status.FINISH


def test_polling_holds_nothing_between_two_looks(tmp_path: Path) -> None:
    """`repeat` puts the run down for each pause, and its looks are not repeated."""
    world, _ = make(tmp_path, POLLS)
    process = world.process()
    looks = iter(["busy", "busy", "done"])
    world.answer = lambda _: world.json(f'{{"step":"{next(looks)}"}}')
    run = process.trigger("waits")
    for _ in range(3):
        process.execute_next()
        world.pass_time(35)
    assert world.store.get(run).status is Status.FINISH
    assert len(world.effects) == 3


def test_its_timeout_goes_on_while_it_waits(tmp_path: Path) -> None:
    """A step's `timeout` is not begun anew each time the run is taken up."""
    world, _ = make(tmp_path, POLLS.replace("timeout: 5m", "timeout: 75s"))
    process = world.process()
    run = process.trigger("waits")
    for _ in range(5):
        process.execute_next()
        world.pass_time(35)
    ended = world.store.get(run)
    assert ended.status is Status.ABORT
    assert "took longer than 75 s" in ended.outcome.error_message
    assert len(world.effects) == 3


def test_a_store_that_is_busy_only_delays_it(tmp_path: Path) -> None:
    """A release that was lost, and a look that could not be taken, come again."""
    world, store = make(tmp_path, WAITS)
    process = world.process()
    run = process.trigger("waits")
    store.mischief = ("release", "after", Busy)
    process.hands.next()
    world.pass_time(3700)
    world.settle()
    assert world.store.get(run).status is Status.FINISH


ALL_VERBS = """
    mode: async
    timeout: 2h
    outputs: {seen: list, race: string, total: integer, drawn: list}
    steps:
      - id: each
        for_each: [x, y]
        concurrency: 2
        steps:
          - id: one
            http: POST /${flow.instanceId}/a${item}
          - wait: 10m
          - id: two
            http: POST /${flow.instanceId}/b${item}
            retryable: true
        collect: "[steps.one.body.step, steps.two.body.step, uuid()]"
      - id: both
        parallel:
          left:
            - http: POST /${flow.instanceId}/left
          right:
            - {id: sub, call: sub/v1, with: {name: right}}
            - set: {sub: "${steps.sub.step}"}
      - id: race
        wait: first
        timeout: 1h
        parallel:
          one: [{http: "POST /${flow.instanceId}/one"}]
          other: [{http: "POST /${flow.instanceId}/other"}]
      - set: {total: 0}
      - for_each: [1, 2]
        steps:
          - http: POST /${flow.instanceId}/t${item}
          - set: {total: "${vars.total + item}"}
      - return:
          seen: "${[[e[0], e[1]] for e in steps.each]}"
          race: ${default(steps.race.one.body.step, steps.race.other.body.step)}
          total: ${vars.total}
          drawn: ["${steps.each[0][2]}", "${steps.each[1][2]}"]
    """
SUB = """
    inputs: {name: string}
    outputs: {step: string}
    steps:
      - id: call
        http: POST /${flow.instanceId}/${inputs.name}
      - return: {step: "${steps.call.body.step}"}
    """
EFFECTS = ["ax", "ay", "bx", "by", "left", "one", "right", "t1", "t2"]


def run_all_verbs(
    tmp_path: Path, mischief: tuple[str, int, str] | None = None
) -> tuple[World, Unreliable, str]:
    """One run of everything that branches; a process dies before or after the nth such call."""
    world, store = make(tmp_path, ALL_VERBS)
    world.flow("sub", SUB)
    process = world.process()
    world.process()
    run = process.trigger("waits")
    if mischief is not None:
        store.disturb(*mischief, Crash)
    process.execute_next()
    while not world.store.get(run).status.is_terminal:
        if not world.processes:
            world.process()
        world.settle()
    return world, store, run


def test_all_that_branches_is_replayed(tmp_path: Path) -> None:
    """The run is put down within its branches, and each effect happens once."""
    world, store, run = run_all_verbs(tmp_path)
    ended = world.store.get(run)
    assert ended.status is Status.FINISH, ended
    assert sorted(step for _, step, _ in world.effects) == EFFECTS
    paths = [record.path for record in world.store.records(run)]
    assert "0[1]/2" in paths
    assert "1/parallel/right/0/call/0" in paths
    assert "4[1]/0" in paths
    assert store.calls.count("record") == RECORDS
    assert store.calls.count("release") == RELEASES


RECORDS, RELEASES = 27, 1
"""Calls of the store in the life of such a run, each of which is a place to die."""
DEATHS = [("record", number) for number in range(1, RECORDS + 1)] + [("release", 1), ("claim", 2)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("call", "number"), DEATHS)
def test_branches_survive_a_death(tmp_path: Path, call: str, number: int, when: str) -> None:
    """A process that dies at any call of the store: nothing happens twice that must not."""
    world, store, run = run_all_verbs(tmp_path, (call, number, when))
    assert store.mischief is None
    ended = world.store.get(run)
    for step in EFFECTS:
        times = len(world.of(run, step))
        assert times <= (2 if step.startswith("b") else 1), step
        assert times or step == "one" or ended.status is Status.ABORT, step
    assert ended.outcome.reason in (None, "interrupted")
    whole = {"seen": [["ax", "bx"], ["ay", "by"]], "total": 3}
    if ended.status is Status.FINISH:
        outputs = json.loads(ended.outcome.result)
        assert {name: outputs[name] for name in whole} == whole
        assert len(set(outputs["drawn"])) == 2
        assert outputs["race"] in ("one", "other")


RACE = """
    mode: async
    timeout: 10m
    outputs: {winner: string}
    steps:
      - id: race
        wait: first
        timeout: 5m
        parallel:
          one: [{http: "POST /${flow.instanceId}/bad"}]
          other: [{http: "POST /${flow.instanceId}/good"}]
      - return: {winner: "${default(steps.race.other.body.step, 'none')}"}
    """


def bad(step: str) -> Response:
    """A downstream that fails for steps that are called so."""
    return Response(500, {}, b"") if step == "bad" else World.json(f'{{"step":"{step}"}}')


def test_a_race_has_a_timeout(tmp_path: Path) -> None:
    """The entry of its time limit is not taken for that of its winner."""
    world, _ = make(tmp_path, RACE)
    world.answer = bad
    process = world.process()
    run = process.trigger("waits")
    process.execute_next()
    assert json.loads(world.store.get(run).outcome.result) == {"winner": "good"}


LIMITED = """
    mode: async
    timeout: 5h
    outputs: {kind: string, after: integer}
    steps:
      - set: {kind: none}
      - if: true
        timeout: 1m
        then: %s
        on_error:
          - set: {kind: "${error.kind}"}
      - wait: 1h
      - return: {kind: "${vars.kind}"}
    """


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ('[{http: "POST /${flow.instanceId}/bad"}]', "status"),
        ('[{http: "POST /${flow.instanceId}/good"}, {wait: 2m}]', "timeout"),
        ('[{wait: 10s}, {log: done}, {http: "POST /${flow.instanceId}/good"}]', "none"),
    ],
)
def test_what_ended_in_time_ends_the_same_later(tmp_path: Path, steps: str, kind: str) -> None:
    """A step's time limit, long over when the run is taken up, finds the end that there was."""
    world, _ = make(tmp_path, LIMITED % steps)
    world.answer = bad
    process = world.process()
    run = process.trigger("waits")
    process.execute_next()
    for seconds in (15, 3700):
        world.pass_time(seconds)
        process.execute_next()
    ended = world.store.get(run)
    assert ended.status is Status.FINISH, ended
    assert json.loads(ended.outcome.result)["kind"] == kind
    assert len(world.effects) == 1


LIMITED_CALL = """
    mode: async
    timeout: 5h
    outputs: {n: integer}
    steps:
      - {id: sub, call: sub/v1}
      - wait: 1h
      - return: {n: "${steps.sub.n}"}
    """
RETURNS = """
    outputs: {n: integer}
    steps:
      - if: true
        timeout: 1m
        then:
          - log: here
          - return: {n: 7}
    """


def test_a_return_within_a_time_limit_is_replayed(tmp_path: Path) -> None:
    """It ended the sub-flow then, and does so when the limit is long over."""
    world, _ = make(tmp_path, LIMITED_CALL)
    world.flow("sub", RETURNS)
    process = world.process()
    run = process.trigger("waits")
    process.execute_next()
    world.pass_time(3700)
    process.execute_next()
    ended = world.store.get(run)
    assert json.loads(ended.outcome.result) == {"n": 7}


STOPPED = """
    mode: async
    timeout: 10m
    outputs: {step: string}
    steps:
      - parallel:
          other:
            - log: first
            - wait: 5s
            - http: POST /${flow.instanceId}/good
          one: [{id: broken, http: "POST /${flow.instanceId}/bad"}]
        on_error:
          - http: POST /${flow.instanceId}/undone
          - wait: 1m
          - return: {step: "${error.step}"}
    """


def test_a_branch_that_was_stopped_stays_so(tmp_path: Path) -> None:
    """A replay decides nothing anew: the branch that failed is carried out again, and no other."""
    world, _ = make(tmp_path, STOPPED)
    world.answer = bad
    process = world.process()
    run = process.trigger("waits")
    process.execute_next()
    world.pass_time(65)
    process.execute_next()
    ended = world.store.get(run)
    assert ended.status is Status.FINISH, ended
    assert json.loads(ended.outcome.result) == {"step": "broken"}
    assert [step for _, step, _ in world.effects] == ["bad", "undone"]


RETRIES = """
    mode: async
    timeout: 1h
    steps:
      - id: call
        http: POST /${flow.instanceId}/call
        retryable: RETRYABLE
        retry: {times: 3, delay: 1m, backoff: 2, max_delay: 1h, jitter: false, idempotent: true}
    """


@pytest.mark.parametrize("retryable", ["true", "false"])
def test_a_long_retry_holds_nothing(tmp_path: Path, retryable: str) -> None:
    """Between two repetitions the run is in nobody's hands, and goes on with the next one."""
    world, _ = make(tmp_path, RETRIES.replace("RETRYABLE", retryable))
    process = world.process()
    world.answer = lambda _: Response(503, {}, b"")
    run = process.trigger("waits")
    for wait in (60, 120, 240):
        process.execute_next()
        until = suspended_until(world.store.get(run).owner)
        assert until is not None
        assert wait <= until - world.wall <= wait + 1
        assert not process.runner.execution.under_way
        world.pass_time(wait + 5)
    process.execute_next()
    assert world.store.get(run).status is Status.ABORT
    assert len(world.effects) == 4
    assert len(set(world.of(run, "call"))) == 1
    assert "503" in world.store.get(run).outcome.error_message


def test_a_death_in_a_repetition_is_no_pause(tmp_path: Path) -> None:
    """A process that dies while a repetition is under way leaves it undecided, as any step."""
    world, _ = make(tmp_path, RETRIES.replace("RETRYABLE", "false"))
    process = world.process()
    world.answer = lambda _: Response(503, {}, b"")
    run = process.trigger("waits")
    process.execute_next()
    world.pass_time(65)

    def die(*_: str) -> None:
        raise Crash

    world.during = die
    process.execute_next()
    world.process()
    world.settle()
    assert world.store.get(run).outcome.reason == "interrupted"
    assert len(world.effects) == 2
