"""Random programs of all verbs come to the same, whatever dies on the way."""

from __future__ import annotations

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.errors import Busy
from app.presence import parked_until
from app.spec.surroundings import Surroundings
from app.stores.memory import MemoryStore
from app.transport import Response
from tests.engine.programs import Flows, programs
from tests.engine.reference import Reference, answer
from tests.life.world import LEASE, Crash, Unreliable, World

Mishap = tuple[int, str, type[BaseException]]
"""How many calls of the store after the one before, ``before`` or ``after`` it, and what."""

MISHAPS = st.lists(
    st.tuples(
        st.integers(1, 12), st.sampled_from(["before", "after"]), st.sampled_from([Busy, Crash])
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
        if not self.mishaps or name not in ("claim", "record", "complete", "release"):
            return False
        number, when, failure = self.mishaps[0]
        if number > 1:
            self.mishaps[0] = (number - 1, when, failure)
            return False
        self.mischief = (name, when, failure)
        del self.mishaps[0]
        return True


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
        yield Catalog(Path(folder), Surroundings, logging.getLogger("app"))


def live(catalog: Catalog, mishaps: list[Mishap], threads: int = 0) -> Life:
    """Let a run come to its end; a process that dies is replaced."""
    store = Troubled()
    world = World(store, Path())
    world.catalog, world.answer, world.threads = catalog, respond, threads
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
        until = parked_until(store.get(run).owner)
        world.pass_time(max(until - world.wall, 0) + 5 if until else LEASE / 2)
    ended = store.get(run)
    assert ended.status.is_terminal, ended
    paths = [record.path for record in store.records(run)]
    outcome = ended.outcome
    end = (outcome.status, outcome.result, outcome.error_code, outcome.error_message)
    sent = [readable(step) for _, step, _ in world.effects]
    return Life(outcome.reason, end, sent, paths)


def readable(step: str) -> str:
    """``kind-name-number/uuid``."""
    kind, name, number, drawn = step.split("-", 3)
    return f"{kind}-{name}-{number}/{drawn}"


def respond(step: str) -> Response:
    """The downstream."""
    status, body = answer(step)
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def names(flows: Flows, key: str) -> set[str]:
    """The ids of steps that have a key."""
    found = set()
    pending: list[object] = list(flows.flows.values())
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(node.values())
            if node.get(key) and "http" in node:
                found.add(node["id"])
        elif isinstance(node, list):
            pending.extend(node)
    return found


def check_effects(flows: Flows, life: Life) -> None:
    """No step was carried out twice in one place that may not be."""
    again = names(flows, "retry") | names(flows, "retryable")
    for each, times in Counter(life.effects).items():
        assert times == 1 or flows.flavour.retryable or each.split("-")[1] in again, each


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=20, deadline=None)
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
