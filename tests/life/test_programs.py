"""Random programs of all verbs come to the same, whatever dies on the way."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalog.catalog import Catalog
from app.errors import Busy
from app.language.environment import Environment
from app.runs.failure_detector import suspended_until
from app.runs.stores.memory import MemoryStore
from tests.engine.outside import Code, Database, respond
from tests.engine.programs import Flows, programs
from tests.engine.reference import Reference, readable
from tests.life.world import LEASE, Crash, Unreliable, World

Mishap = tuple[int, str, type[BaseException]]
"""How many moments after the one before, ``before`` or ``after`` it, and what.

A moment is a call of the store, or that something outside is asked; there it is always a crash."""

MISHAPS = st.lists(
    st.tuples(
        st.integers(1, 16), st.sampled_from(["before", "after"]), st.sampled_from([Busy, Crash])
    ),
    min_size=1,
    max_size=4,
)
MOST_TURNS = 60


class Troubled(Unreliable):
    """A store in which one thing after the other goes wrong."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.mishaps: list[Mishap] = []

    def _is_time(self, name: str) -> bool:
        if name not in ("claim", "record", "complete", "release") or not self._strikes():
            return False
        _, when, failure = self.mishaps.pop(0)
        self.mischief = (name, when, failure)
        return True

    def asked(self, run: str, step: str) -> None:
        """While something outside is under way, the process may die."""
        if self._strikes():
            del self.mishaps[0]
            raise Crash

    def _strikes(self) -> bool:
        if not self.mishaps:
            return False
        number, when, failure = self.mishaps[0]
        self.mishaps[0] = (number - 1, when, failure)
        return number <= 1


@dataclass
class Life:
    """One run, after its end: how it ended, and every request it made."""

    reason: str | None
    end: object
    effects: list[str]
    paths: list[str]

    @property
    def labels(self) -> Counter[str]:
        """How often each step was carried out; what was repeated for one that died counts once."""
        return Counter(each.partition("/")[0] for each in set(self.effects))


@contextmanager
def served(flows: Flows) -> Iterator[Catalog]:
    """The catalog of a program."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in flows.texts.items():
            file = Path(folder, f"{name}.yaml")
            file.parent.mkdir()
            file.write_text(text, "utf-8")
        yield Catalog(Path(folder), Environment, logging.getLogger("app"))


def live(catalog: Catalog, mishaps: list[Mishap], threads: int = 0) -> Life:
    """Let a run come to its end; a process that dies is replaced."""
    store = Troubled()
    world = World(store, Path())
    world.catalog, world.answer, world.threads = catalog, respond, threads
    world.during = store.asked
    reach_through(world)
    process = world.process()
    run = process.trigger("test")
    store.mishaps = list(mishaps)
    for _ in range(MOST_TURNS):
        if store.get(run).status.is_terminal:
            break
        if not world.processes:
            process = world.process()
            world.pass_time(LEASE * 2)
        process.execute_next()
        until = suspended_until(store.get(run).owner)
        world.pass_time(max(until - world.wall, 0) + 5 if until else LEASE / 2)
    ended = store.get(run)
    assert ended.status.is_terminal, ended
    paths = [record.path for record in store.records(run)]
    outcome = ended.outcome
    end = (outcome.status, outcome.result, outcome.error_code, outcome.error_message)
    sent = [told_apart(step) for _, step, _ in world.effects]
    return Life(outcome.reason, end, sent, paths)


def reach_through(world: World) -> None:
    """Let code and databases do what they do where requests do it."""

    def asked(what: str) -> None:
        world.during(*what.split("/")[1:])

    def done(what: str) -> None:
        _, run, step = what.split("/")
        world.effects.append((run, step, None))

    def acted(what: str) -> None:
        done(what)
        asked(what)

    world.python, world.databases = Code(acted), Database(asked, done)


def told_apart(step: str) -> str:
    """``kind-name-number/uuid``."""
    return f"{readable(step)}/{step.split('-', 3)[3]}"


def repeatable(node: Any, *, within: bool = False) -> Iterator[str]:
    """The ids of steps that may be carried out twice: they say so, or their transaction does."""
    if isinstance(node, list):
        for each in node:
            yield from repeatable(each, within=within)
    elif isinstance(node, dict):
        says = node.get("retryable", False)
        if "id" in node and (says or within):
            yield node["id"]
        for key, each in node.items():
            yield from repeatable(each, within=within or (says and key == "transaction"))


def check_effects(flows: Flows, life: Life) -> None:
    """No step was carried out twice in one place that may not be."""
    again = set(repeatable(list(flows.flows.values())))
    for each, times in Counter(life.effects).items():
        assert times == 1 or flows.flavour.retryable or each.split("-")[1] in again, each


@settings(max_examples=30, deadline=None)
@given(programs(), MISHAPS)
def test_a_program_comes_to_the_same_whatever_dies(flows: Flows, mishaps: list[Mishap]) -> None:
    """With and without deaths: the same end, and no effect twice that must not be."""
    with served(flows) as catalog:
        calm, troubled = live(catalog, []), live(catalog, mishaps)
    reference = Reference(flows.flows)
    expected = reference.run()
    if not flows.flavour.parks or expected[0] == "finish":
        assert calm.labels == Counter(reference.effects)
    check_effects(flows, troubled)
    if troubled.reason in ("interrupted", "crashed"):
        assert not flows.flavour.retryable or troubled.reason == "crashed"
        assert not troubled.labels - calm.labels
        return
    assert troubled.end == calm.end
    assert troubled.labels == calm.labels


@settings(max_examples=10, deadline=None)
@given(programs(), MISHAPS)
def test_a_program_ends_whatever_dies_with_threads(flows: Flows, mishaps: list[Mishap]) -> None:
    """Branches really at once: it ends, and no effect happens twice that must not."""
    with served(flows) as catalog:
        calm, troubled = live(catalog, [], 50), live(catalog, mishaps, 50)
    check_effects(flows, calm)
    check_effects(flows, troubled)
    assert calm.reason in (None, "failed")
    assert troubled.reason in (None, "failed", "interrupted", "crashed")
    if flows.flavour.parks and troubled.reason in (None, "failed"):
        assert (troubled.end, troubled.labels) == (calm.end, calm.labels)
