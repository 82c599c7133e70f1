"""What may happen between branches that are under way at once."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.engine.interpreter import Interpreter
from app.errors import FlowFailed
from app.http.message import Request, Response
from app.runtime.journal import Journal
from app.runtime.record import StepRecord
from app.runtime.signals import ClaimLost, ShuttingDown
from app.runtime.threads import Task, ThreadPool
from app.runtime.trace import Trace
from tests.engine.world import Answer, World, json_answer, program

SECONDS = 10.0


class Book:
    """What a run writes down; ``lost`` is whether the run is in other hands by now."""

    def __init__(self) -> None:
        self.records: dict[str, StepRecord] = {}
        self.written: list[StepRecord] = []
        self.lost = self.stopping = False
        self.refused = threading.Event()

    def write(self, record: StepRecord) -> bool:
        """Keep a record, unless the run is lost."""
        if self.lost:
            self.refused.set()
            return False
        self.written.append(record)
        self.records[record.path] = record
        return True

    def run(self, world: World, text: str, attempt: int = 1) -> dict[str, Any]:
        """One attempt of an async run."""
        journal = Journal(
            attempt=attempt,
            started_at=world.time,
            seed="seed",
            records=list(self.records.values()),
            write=self.write,
            clock=lambda: world.time,
            stopping=lambda: self.stopping,
        )
        return Interpreter(world.dependencies).run(program(text), {}, {}, "run", journal=journal)

    @property
    def open_ends(self) -> list[str]:
        """Paths of steps that have begun and did not end."""
        return sorted(path for path, record in self.records.items() if record.ended_at is None)


def last(request: Request) -> str:
    """The last part of a url."""
    return request.url.rpartition("/")[2]


RACE = """
    outputs: {who: string}
    steps:
      - id: race
        wait: first
        parallel:
          slow:
            - http: POST https://example.com/slow
            - http: POST https://example.com/never
          fast:
            - http: POST https://example.com/fast
            - http: POST https://example.com/last
      - return: {who: "${default(steps.race.fast.body.who, 'slow')}"}
    """


def test_a_loser_writes_nothing_when_the_run_is_over() -> None:
    """It comes back after the run's end, finds that it is not its own any more, and is quiet."""
    world, book, released = World(concurrent=True), Book(), threading.Event()
    quiet: list[Any] = []

    def answer(request: Request) -> Answer:
        if last(request) == "slow":
            assert released.wait(SECONDS)
        return json_answer('{"who": "fast"}')

    world.answer = answer
    hook, threading.excepthook = threading.excepthook, quiet.append
    try:
        assert book.run(world, RACE) == {"who": "fast"}
        before = len(book.written)
        book.lost = True
        released.set()
        assert book.refused.wait(SECONDS)
        wait_for(lambda: world.dependencies.thread_pool._free == 50)
    finally:
        threading.excepthook = hook
    assert len(book.written) == before
    assert "never" not in map(last, world.requests)
    assert quiet == []


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds, within a bound."""
    tick = threading.Event()
    for _ in range(int(SECONDS * 100)):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError


def test_who_hands_a_run_back_waits_for_what_is_under_way() -> None:
    """In a race too: what a step found out is written down before the run is for others."""
    world, book, stopping = World(concurrent=True), Book(), threading.Event()
    both = threading.Barrier(2, timeout=SECONDS)

    def answer(request: Request) -> Answer:
        both.wait()
        if last(request) == "slow":
            assert stopping.wait(SECONDS)
        else:
            book.stopping = True
            threading.Timer(0.05, stopping.set).start()
        return json_answer("{}")

    world.answer = answer
    with pytest.raises(ShuttingDown):
        book.run(world, RACE)
    assert book.open_ends == []
    assert sorted(map(last, world.requests)) == ["fast", "slow"]


def test_a_lost_run_stops_every_branch() -> None:
    """One branch finds the run in other hands; the others begin nothing any more."""
    world, book = World(concurrent=True), Book()
    both = threading.Barrier(2, timeout=SECONDS)

    def answer(request: Request) -> Answer:
        both.wait()
        book.lost = True
        return json_answer("{}")

    world.answer = answer
    with pytest.raises(ClaimLost):
        book.run(world, RACE.replace("wait: first", "wait: all"))
    assert sorted(map(last, world.requests)) == ["fast", "slow"]


def test_a_step_that_was_stopped_has_not_begun() -> None:
    """A branch that is stopped before a step leaves no entry of it, nor of a repetition."""
    world, book = World(concurrent=True), Book()
    both = threading.Barrier(2, timeout=SECONDS)
    ended = threading.Event()

    def answer(request: Request) -> Answer:
        if last(request) == "bad":
            both.wait()
            return Response(400, {}, b"")
        if last(request) == "busy":
            both.wait()
            wait_for(lambda: book.records["0/parallel/one/0"].ended_at is not None)
            ended.wait(0.05)  # the failing branch has a moment to stop this one
            return Response(503, {}, b"")
        return json_answer("{}")

    world.answer = answer
    outputs = book.run(
        world,
        """
        outputs: {step: string}
        steps:
          - parallel:
              other:
                - http: GET https://example.com/busy
                  retry: {times: 3, delay: 1s}
                  on_error: continue
                - http: POST https://example.com/never
              one: [{id: broken, http: "POST https://example.com/bad"}]
            on_error:
              - return: {step: "${error.step}"}
        """,
    )
    assert outputs == {"step": "broken"}
    assert book.open_ends == []
    assert sorted(map(last, world.requests)) == ["bad", "busy"]


DECIDED = """
    outputs: {who: string}
    steps:
      - id: both
        parallel:
          a:
            - http: POST https://example.com/a
            - http: POST https://example.com/bad_a
          b: [{http: "POST https://example.com/bad_b"}]
        on_error:
          - http: POST https://example.com/undo
          - return: {who: "${error.body.who}"}
    """


def test_a_replay_does_not_decide_anew() -> None:
    """The branch that failed first fails alone, though another would now fail before it."""
    world, book = World(concurrent=True), Book()
    both = threading.Barrier(2, timeout=SECONDS)

    def answer(request: Request) -> Answer:
        who = last(request)
        if who in ("a", "bad_b"):
            both.wait()
        if who == "a":
            wait_for(lambda: book.records["0/parallel/b/0"].ended_at is not None)
            threading.Event().wait(0.05)  # the failing branch has a moment to stop this one
        return json_answer(f'{{"who": "{who}"}}', 500 if "bad" in who else 200)

    world.answer = answer
    assert book.run(world, DECIDED) == {"who": "bad_b"}
    requests = len(world.requests)
    assert book.run(world, DECIDED, attempt=2) == {"who": "bad_b"}
    assert len(world.requests) == requests


def test_branches_need_no_free_thread() -> None:
    """Loops within loops with more rounds than threads come to their end, each in its order."""
    thread_pool = ThreadPool(2)
    world = with_crew(World(), thread_pool)
    world.answer = lambda request: json_answer(f'{{"n": "{last(request)}"}}')
    outputs = world.run(
        """
        outputs: {found: list}
        steps:
          - id: outer
            for_each: [1, 2, 3, 4, 5]
            concurrency: 5
            steps:
              - id: inner
                for_each: "[item * 10, item * 10 + 1, item * 10 + 2]"
                concurrency: 3
                steps:
                  - id: call
                    http: GET https://example.com/${item}
                collect: steps.call.body.n
            collect: steps.inner
          - return: {found: "${steps.outer}"}
        """
    )
    assert outputs["found"] == [[f"{i}0", f"{i}1", f"{i}2"] for i in range(1, 6)]
    wait_for(lambda: thread_pool._free == 2)


def with_crew(world: World, thread_pool: ThreadPool) -> World:
    """The world, with other threads."""
    world.dependencies = replace(world.dependencies, thread_pool=thread_pool)
    return world


@pytest.mark.parametrize("wait", ["all", "first"])
def test_branches_stop_when_the_run_is_told_to_end(wait: str) -> None:
    """An interruption while the run waits for its branches reaches them."""
    released, threads = threading.Event(), []

    class Impatient(ThreadPool):
        def start(self, task: Task) -> threading.Thread | None:
            if threads:
                raise KeyboardInterrupt
            threads.append(super().start(task))
            return threads[0]

    world = with_crew(World(), Impatient(9))

    def answer(request: Request) -> Answer:
        assert released.wait(SECONDS)
        return json_answer("{}")

    world.answer = answer
    flow = RACE.replace("wait: first", f"wait: {wait}").replace("          fast:", MIDDLE)
    with pytest.raises(KeyboardInterrupt):
        world.run(flow)
    released.set()
    threads[0].join(SECONDS)
    assert len(world.requests) == 1


MIDDLE = """          middle:
            - http: POST https://example.com/slow
            - http: POST https://example.com/never
          fast:"""


def test_an_interruption_in_a_branch_ends_the_run() -> None:
    """No handler sees it, no other branch goes on, and it is raised where the run was begun."""
    world = World(concurrent=True)

    def answer(request: Request) -> Answer:
        raise KeyboardInterrupt

    world.answer = answer
    with pytest.raises(KeyboardInterrupt):
        world.run(RACE.replace("      - id: race", "      - id: race\n        on_error: continue"))


@pytest.mark.parametrize("wait", ["all", "first"])
def test_the_trace_has_what_failed(wait: str) -> None:
    """The steps of a failing branch are what people look for."""
    world, trace = World(), Trace()
    world.answer = lambda request: json_answer("{}", 500)
    with pytest.raises(FlowFailed):
        world.run(RACE.replace("wait: first", f"wait: {wait}"), trace)
    entries = [(each.verb, each.outcome) for each in trace.entries]
    failed = [("http", "error")] * (1 if wait == "all" else 2)
    assert entries == [("parallel", "error"), *failed]


def test_rounds_that_have_ended_leave_nothing() -> None:
    """The answers of a long loop are not all kept until its end."""
    world = World()
    world.answer = lambda request: json_answer(f'{{"text": "{"x" * 100_000}"}}')
    flow = program(
        """
        inputs: {items: {type: list, items: integer}}
        steps:
          - for_each: inputs.items
            concurrency: 2
            steps:
              - id: call
                http: GET https://example.com/${item}
              - when: len(steps.call.body.text) == 0
                log: nothing
        """
    )
    gc.collect()
    tracemalloc.start()
    try:
        Interpreter(world.dependencies).run(flow, {"items": list(range(500))}, {}, "run")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000  # fifty million, if they were


GREENLETS = """
import app.wiring
import tests.engine.test_parallel as parallel
from gevent import monkey

monkey.patch_all()
parallel.test_branches_really_run_at_once()
parallel.test_a_failing_branch_stops_the_others_at_their_next_step()
parallel.test_the_first_one_wins()
parallel.test_branches_within_branches_are_all_stopped()
print("well", end="")
"""


def test_branches_under_gevent() -> None:
    """Where the package was imported before gevent patched, branches are greenlets all the same."""
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("well", 0), done.stderr
