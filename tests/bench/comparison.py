"""What the benchmarks under load share: equal answers, rounds, medians and ratios in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

from tests.bench.rounds import interleave, ratio
from tests.bench.table import table
from tests.bench.workplace import Reading, Workplace, answer, flows

COLUMNS = ("", "flows/s", "from – to", "p50 ms", "p99 ms", "CPU µs/flow", "ratio")


@dataclass(frozen=True, slots=True)
class Subject:
    """An application under gunicorn with some options, and the path that triggers the flow."""

    app: str
    options: Sequence[str]
    target: str


def measure(
    place: Workplace,
    subjects: Mapping[str, Subject],
    *,
    connections: int,
    seconds: int,
    rounds: int,
    warm_up_seconds: int = 1,
) -> dict[str, list[Reading]]:
    """Serve all subjects at once, load each for a moment, and then all in turn.

    Raises:
        ValueError: they do not answer the same bytes.
    """
    loads: dict[str, Callable[[], Reading]] = {}
    answers: dict[str, bytes] = {}
    with ExitStack() as stack:
        for name, subject in subjects.items():
            server = stack.enter_context(place.gunicorn(subject.app, subject.options))
            answers[name] = answer(server, subject.target)
            if warm_up_seconds:
                flows(server, subject.target, connections, warm_up_seconds)
            loads[name] = partial(flows, server, subject.target, connections, seconds)
        if len(set(answers.values())) > 1:
            raise ValueError(f"the subjects do not answer the same: {answers}")
        return interleave(loads, rounds)


def rendered(title: str, readings: Mapping[str, Sequence[Reading]], baseline: str) -> str:
    """A row for each subject; ``ratio`` compares its flows a second with the baseline's."""
    base = [reading.load.rate for reading in readings[baseline]]
    rows = [_row(name, found, base) for name, found in readings.items()]
    return table(title, COLUMNS, rows)


def _row(name: str, readings: Sequence[Reading], base: Sequence[float]) -> tuple[str, ...]:
    rates = [reading.load.rate for reading in readings]
    broken = sum(reading.load.broken for reading in readings)
    return (
        f"{name} ({broken} broken)" if broken else name,
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f} – {max(rates):,.0f}",
        f"{median(reading.load.p50 for reading in readings):.1f}",
        f"{median(reading.load.p99 for reading in readings):.1f}",
        f"{median(reading.cpu for reading in readings):.0f}",
        f"{ratio(rates, base):.2f}",
    )
