"""*waiting*: one call that takes a second, and 500 clients at once."""

from __future__ import annotations

from tests.bench.comparison import Subject, measure
from tests.bench.downstream import SLOW_SECONDS
from tests.bench.table import table
from tests.bench.workplace import SHIPPED, TARGET, Reading, Workplace, gthread

CLIENTS = 500
SECONDS = 15
COLUMNS = ("", "flows/s", "of the ideal", "p50 ms", "p99 ms", "broken")


def report(place: Workplace, seconds: int = SECONDS) -> str:
    """Measure each once, and say it in a table."""
    target = TARGET.format(key="slow")
    subjects = {"siteswap, as shipped": Subject("wsgi:app", SHIPPED, target)}
    for threads in (16, 128, 250):
        name = f"siteswap, gthread 2×{threads}"
        subjects[name] = Subject("wsgi:app", gthread(threads), target)
    # No warm-up: what it leaves behind would still be waited for.
    readings = measure(
        place, subjects, connections=CLIENTS, seconds=seconds, rounds=1, warm_up_seconds=0
    )
    ideal = CLIENTS / SLOW_SECONDS
    rows = [_row(name, found[0], ideal, seconds) for name, found in readings.items()]
    title = f"waiting: one call of {SLOW_SECONDS:g} s, {CLIENTS} clients, ideal {ideal:.0f} flows/s"
    return table(title, COLUMNS, rows)


def _row(name: str, reading: Reading, ideal: float, seconds: int) -> tuple[str, ...]:
    load = reading.load
    # The flows of the last second are cut off by the end of the load.
    rate = load.count / (seconds - SLOW_SECONDS)
    return (
        name,
        f"{rate:.0f}",
        f"{rate / ideal:.2f}",
        f"{load.p50:.0f}",
        f"{load.p99:.0f}",
        str(load.broken),
    )
