"""The judge: looks at every run that anybody was told of, and at every effect that was seen."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.blackbox.client import Answer, Client, eventually
from tests.chaos.load import BROKEN, BUSY, Book
from tests.chaos.points import POISON
from tests.chaos.sink import Effect, Sink

STEPS: Mapping[str, Sequence[str]] = {
    "straight": ("one", "two", "three"),
    "again": ("one", "two", "three"),
    "handled": ("one", "two", "three"),
    "called": ("one",),
    "held": ("one", "two", "three"),
    "slow": ("one",),
    "quick": ("one",),
    POISON: ("one",),
}
"""Flow → the steps with an effect on the path of a run that finishes."""

RETRYABLE = {("again", "one"), ("again", "two"), ("again", "three"), ("held", "two")}

REASONS = {
    1: "failed",
    2000061001: "flow_gone",
    2000061007: "timeout",
    2000061008: "interrupted",
    2000061009: "crashed",
    2000061010: "cancelled",
}
EXPECTED = frozenset({"FINISH", "interrupted", "crashed"})
"""How a run may end in a storm. Everything else has no cause here."""


@dataclass(slots=True)
class Verdict:
    """What became of the runs. ``ends`` counts ``FINISH`` and the reasons of ``ABORT``.

    ``lost`` are ids that were answered and did not come to an end, ``doubled`` effects that
    happened more often than they may, ``wrong`` is whatever else must not be. ``ghosts`` are
    effects of runs that were refused.
    """

    accepted: int = 0
    refused: int = 0
    broken: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def diagnostics(self) -> list[str]:
        """All that must not be."""
        kinds = {"lost": self.lost, "doubled": self.doubled, "ghost": self.ghosts}
        named = [f"{kind}: {each}" for kind, found in kinds.items() for each in found]
        return [*named, *self.wrong]

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.broken + other.broken,
            self.ends + other.ends,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.ghosts + other.ghosts,
            self.wrong + other.wrong,
        )


def judge(
    client: Client,
    book: Book,
    sink: Sink,
    *,
    seconds: float,
    expected: Iterable[str] = EXPECTED,
) -> Verdict:
    """Wait up to ``seconds`` for every run to end, then hold all of them to the promise."""
    verdict = Verdict(len(book.accepted), len(book.refused), len(book.broken))
    verdict.wrong += book.strange
    until = time.monotonic() + seconds
    ends: dict[str, Answer] = {}
    for run_id in book.ids:
        try:
            ends[run_id] = ended(client, run_id, _left(until))
        except AssertionError as error:
            verdict.lost.append(f"{run_id}: {error}")
    # Runs whose ids were lost on the way are known by their effects.
    nameless = {e.run for e in sink.effects if e.kind != "callback"} - set(book.ids)
    for run_id in nameless:
        with suppress(AssertionError):
            ends[run_id] = ended(client, run_id, _left(until))
    _wait_for_callbacks(book, sink, seconds)
    effects = sink.by_run()
    for run_id, flow in book.ids.items():
        if run_id in ends:
            end = ends[run_id]
            verdict.ends[word(end)] += 1
            verdict.wrong += _wrong(run_id, flow, end, effects[run_id])
            if word(end) not in expected:
                verdict.wrong.append(f"{run_id} ({flow}) ended {end.envelope}")
    for run_id in nameless - set(ends):
        verdict.lost.append(f"{run_id}, whose answer was lost")
    verdict.wrong += _changed(client, ends)
    verdict.doubled += _doubled(book, effects)
    verdict.ghosts += sorted({e.body.get("tag", "") for e in sink.effects} & set(book.refused))
    return verdict


def _left(until: float) -> float:
    """Seconds until then; one to look, if it is over: many may be lost."""
    return max(until - time.monotonic(), 1.0)


def ended(client: Client, run_id: str, seconds: float) -> Answer:
    """The answer to a poll of a run, once it has ended.

    A store that is busy, and a server that died before it answered, is asked again.
    """

    def look() -> Answer | None:
        try:
            return client.poll(run_id)
        except BROKEN:
            return None

    def is_final(answer: Answer | None) -> bool:
        if answer is None or answer.outcome == BUSY:
            return False
        assert answer.outcome != (404, 2000061005), "it is not known"
        return answer.headers["juggle-flow-status"] in ("FINISH", "ABORT")

    answer = eventually(look, is_final, seconds)
    assert answer
    return answer


def word(answer: Answer) -> str:
    """``FINISH``, or the reason of an ``ABORT``."""
    status = answer.headers["juggle-flow-status"]
    code = answer.envelope["errorCode"]
    return status if status == "FINISH" else REASONS.get(code, str(code))


def _wait_for_callbacks(book: Book, sink: Sink, seconds: float) -> None:
    awaited = {run_id for run_id, flow in book.ids.items() if flow == "called"}
    with suppress(AssertionError):
        eventually(lambda: awaited - set(_callbacks(sink)), lambda missing: not missing, seconds)


def _callbacks(sink: Sink) -> dict[str, list[Effect]]:
    return {
        run: [each for each in effects if each.kind == "callback"]
        for run, effects in sink.by_run().items()
        if any(each.kind == "callback" for each in effects)
    }


def _wrong(run: str, flow: str, end: Answer, effects: list[Effect]) -> Iterator[str]:
    if word(end) == "FINISH":
        yield from _incomplete(run, flow, end, effects)
    if flow == "called":
        yield from _badly_called(run, end, [e for e in effects if e.kind == "callback"])


def _incomplete(run: str, flow: str, end: Answer, effects: list[Effect]) -> Iterator[str]:
    steps = [each.step for each in effects if each.kind != "callback"]
    if missing := set(STEPS[flow]) - set(steps):
        yield f"{run} ({flow}) finished without {missing}"
    # What a replay drew again must be what the downstream was told before.
    drawn = {each.body["drawn"] for each in effects if "drawn" in each.body}
    outputs = end.envelope["result"]
    if drawn and drawn != {outputs["drawn"]}:
        yield f"{run} ({flow}) drew {drawn} and answered {outputs}"


def _badly_called(run: str, end: Answer, calls: list[Effect]) -> Iterator[str]:
    if not calls:
        yield f"{run}: nobody was told that it ended"
    if len({call.key for call in calls}) > 1 or any(not call.key for call in calls):
        yield f"{run}: callbacks with the keys {[call.key for call in calls]}"
    status = end.headers["juggle-flow-status"]
    for call in calls:
        told = call.body["result"]
        if (told["flowInstanceId"], told["status"]) != (run, status):
            yield f"{run} ended {status}, and was told as {told}"


def _doubled(book: Book, effects: Mapping[str, list[Effect]]) -> Iterator[str]:
    flows = book.ids
    for run, found in effects.items():
        steps: dict[str, list[Effect]] = {}
        for each in found:
            if each.kind != "callback":
                steps.setdefault(each.step, []).append(each)
        for step, times in steps.items():
            keys = {each.key for each in times}
            # A run whose answer was lost has no flow here; only steps that may repeat send keys.
            may_repeat = (flows[run], step) in RETRYABLE if run in flows else keys != {None}
            if may_repeat and (len(keys) > 1 or None in keys):
                yield f"{run}, step {step}: {len(times)} times with the keys {keys}"
            if not may_repeat and len(times) > 1:
                yield f"{run}, step {step}: {len(times)} times"


def _changed(client: Client, ends: Mapping[str, Answer]) -> Iterator[str]:
    for run_id, before in ends.items():
        after = ended(client, run_id, 60)
        if (before.body, word(before)) != (after.body, word(after)):
            yield f"{run_id} ended {before.body!r}, and then {after.body!r}"
