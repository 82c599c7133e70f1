"""A few processes that share a store and a downstream; they crash, stall and come late."""

from __future__ import annotations

import itertools
import logging
import textwrap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.catalog.catalog import Catalog
from app.config.secrets import Secrets
from app.database.contract import Databases, NoDatabases
from app.engine.interpreter import Interpreter
from app.errors import Busy
from app.http.message import Request, Response
from app.language.environment import Environment
from app.python.contract import PythonRunner
from app.runs.executor import Lane
from app.runs.failure_detector import FailureDetector
from app.runs.reaper import Reaper, Retention
from app.runs.runner import Runner
from app.runs.store import Store
from app.runtime.scope import Dependencies
from app.runtime.threads import ThreadPool
from tests.engine.world import NoPython

FLOW = """
    mode: async
    timeout: 10m
    callback: {url: "/${flow.instanceId}/callback"}
    steps:
      - id: a
        http: POST /${flow.instanceId}/a
      - set: {number: "${len(steps.a.body.step)}"}
      - if: vars.number == 1
        then:
          - id: b
            retryable: true
            http: POST /${flow.instanceId}/b
            headers: {X-Drawn: "${uuid()} ${now()}"}
      - id: c
        http: POST /${flow.instanceId}/c
        on_error: continue
    """
"""Two steps that must not happen twice, one that may, and a callback. They share their paths."""

WRITES = ("add", "claim", "record", "complete", "adopt", "beat", "release")
"""What changes a store; ``Unreliable`` counts and disturbs these calls."""

Mischief = tuple[str, str, type[BaseException]]
"""A method of the store, ``before`` or ``after`` it happened, and what it raises then."""
LEASE = 15.0
DAY = 86_400.0


def NOTHING(run: str, step: str) -> None:  # noqa: N802
    """What happens while a downstream answers."""


class Crash(BaseException):
    """The process dies here. No ``except Exception`` may hold it up."""


class Unreliable:
    """A store that on demand fails before it does something, or after it; or the caller dies."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.mischief: Mischief | None = None
        self.calls: list[str] = []
        self.at: int | None = None
        self.of_its_name: int | None = None

    def disturb(self, name: str, number: int, when: str, failure: type[BaseException]) -> None:
        """Let the nth call from here of this name go wrong."""
        self.mischief, self.of_its_name = (name, when, failure), number

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return self._wrapped(name, method) if name in WRITES else method

    def _wrapped(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.calls.append(name)
            when, failure = "", Busy
            if self._is_time(name) and self.mischief:
                _, when, failure = self.mischief
                self.mischief = None
            if when == "before":
                raise failure("before")
            answer = method(*args)
            if when == "after":
                raise failure("after")
            return answer

        return call

    def _is_time(self, name: str) -> bool:
        if self.mischief is None or self.mischief[0] != name:
            return False
        if self.of_its_name is not None:
            self.of_its_name -= 1
            return self.of_its_name == 0
        return self.at is None or self.at == len(self.calls)


class Hands:
    """An executor whose queue a test works off, one run at a time."""

    keeps_queue = True

    def __init__(self, execute: Callable[[str], None]) -> None:
        self.execute = execute
        self.ids: list[str] = []
        self.lanes: dict[str, Lane] = {}

    def reserve(self, lane: str = "") -> None:
        """There is always a place."""

    def submit(self, run_id: str, lane: Lane, *, first: bool = False) -> None:
        self.lanes[run_id] = lane
        if run_id not in self.ids:
            self.ids.insert(0 if first else len(self.ids), run_id)

    def cancel(self) -> None:
        """There is always a place."""

    def lost(self, instance_ids: Sequence[str]) -> Sequence[str]:
        return [each for each in instance_ids if each not in self.ids]

    def close(self, timeout: float) -> bool:
        return True

    def next(self) -> None:
        """Execute the run that waits longest."""
        self.execute(self.ids.pop(0))


class World:
    """The clocks, the downstream and its log of effects: ``(run, step, idempotency key)``.

    ``drawn`` is what the steps of each run sent as ``X-Drawn``: run → texts.
    """

    def __init__(self, store: Any, flows: Path) -> None:
        self.store = store
        self.flows = flows
        self.wall = 1_700_000_000.0
        self.monotonic = 1_000.0
        self.effects: list[tuple[str, str, str | None]] = []
        self.drawn: dict[str, set[str]] = {}
        self.during = NOTHING
        self.answer: Callable[[str], Response] = lambda step: Response(
            200, {"content-type": "application/json"}, f'{{"step":"{step}"}}'.encode()
        )
        self.numbers = itertools.count(1)
        self.processes: list[Process] = []
        self.threads = 0
        self.python: PythonRunner = NoPython()
        self.databases: Databases = NoDatabases()
        self.catalog: Catalog | None = None
        """One for all processes, where compiling would take the time of a test."""

    def flow(self, key: str, text: str) -> None:
        """Write a flow's first version; processes that start afterwards read it."""
        file = self.flows / key / "v1.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), "utf-8")

    @staticmethod
    def json(text: str) -> Response:
        """An answer of the downstream."""
        return Response(200, {"content-type": "application/json"}, text.encode())

    def process(self) -> Process:
        """A new process, which has given its first sign of life."""
        process = Process(self, f"process {next(self.numbers)}", self.store)
        self.processes.append(process)
        return process

    def pass_time(self, seconds: float) -> None:
        """Both clocks go on; whoever is alive looks as often as it should meanwhile."""
        for _ in range(int(seconds / (LEASE / 6))):
            self.wall += LEASE / 6
            self.monotonic += LEASE / 6
            for process in list(self.processes):
                process.does(process.reaper.reap)
                process.does(process.reaper.wake)

    def settle(self) -> None:
        """Let everything come to its end."""
        for _ in range(8):
            self.pass_time(LEASE * 2)
            for process in list(self.processes):
                while process in self.processes and process.hands.ids:
                    process.execute_next()

    def send(self, request: Request) -> Response:
        """The downstream: ``/<run>/<step>``."""
        _, run, step = request.url.split("/")
        self.effects.append((run, step, request.headers.get("Idempotency-Key")))
        if drawn := request.headers.get("X-Drawn"):
            self.drawn.setdefault(run, set()).add(drawn)
        self.during(run, step)
        return self.answer(step)

    def check_end(self, run: str) -> None:
        """The promise, kept for one run of ``FLOW`` that was accepted."""
        instance = self.store.get(run)
        assert instance is not None
        assert instance.status.is_terminal, instance
        reason = instance.outcome.reason
        assert reason in (None, "interrupted", "crashed", "cancelled")
        for step, most in (("a", 1), ("b", 9), ("c", 1)):
            keys = self.of(run, step)
            assert len(keys) <= most, (step, instance)
            assert len(set(keys)) <= 1
            assert keys or reason
        assert len(set(self.of(run, "callback"))) == 1
        # What a replay drew again is what the downstream was told before.
        assert len(self.drawn.get(run, ())) <= 1

    def of(self, run: str, step: str) -> list[str | None]:
        """The keys that a step's effects came with."""
        return [key for r, s, key in self.effects if (r, s) == (run, step)]


class Process:
    """A runner and its reaper, without threads: a test says when each of them moves."""

    def __init__(self, world: World, name: str, store: Store) -> None:
        self.world = world
        log = logging.getLogger("app")
        catalog = world.catalog or Catalog(world.flows, Environment, log)
        catalog.refresh()
        dependencies = Dependencies(
            transport=world,
            python=world.python,
            databases=world.databases,
            monotonic=lambda: world.monotonic,
            sleep=self._sleep,
            random=lambda: 1.0,
            now=lambda: datetime.fromtimestamp(world.wall, UTC),
            uuid=lambda: f"uuid {next(world.numbers)}",
            env={},
            secrets=Secrets(),
            max_response_bytes=1_000_000,
            thread_pool=ThreadPool(world.threads),
            log=log,
        )
        self.runner = Runner(
            catalog=catalog,
            interpreter=Interpreter(dependencies),
            open_store=lambda: store,
            executor=Hands,
            clock=lambda: world.wall,
            sleep=self._sleep,
            new_id=lambda mode: f"{mode}_{next(world.numbers):016}",
            new_seed=lambda: f"seed {next(world.numbers)}",
            log=log,
        )
        self.reaper = Reaper(
            self.runner,
            FailureDetector(LEASE, lambda: world.monotonic),
            Retention(3650 * DAY, 1_000_000),
            lambda: world.wall,
            log,
        )
        self.runner.owner = name
        self.runner.announce = self.reaper.announce
        self.reaper.announce()

    def _sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")  # as the real one does
        self.world.wall += seconds
        self.world.monotonic += seconds

    @property
    def hands(self) -> Hands:
        hands = self.runner.executor
        assert isinstance(hands, Hands)
        return hands

    def trigger(self, key: str, **given: Any) -> str:
        """The id of an accepted run."""
        return self.runner.trigger(key, "v1", lambda: given, dict).run_id

    def die(self) -> None:
        """No sign of life any more."""
        self.world.processes.remove(self)

    def does(self, something: Callable[[], object]) -> object:
        """Let it do something: it dies of a crash, and goes on when the store is busy."""
        try:
            return something()
        except Crash:
            self.die()
        except Busy:
            pass
        return None

    def execute_next(self) -> None:
        """Execute the run that waits longest, if there is one."""
        if self.hands.ids:
            self.does(self.hands.next)
