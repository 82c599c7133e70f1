"""*mocked*: the trigger endpoint with its in-process APIs, beside a hand-written view."""

from __future__ import annotations

from tests.bench.comparison import Subject, measure, rendered
from tests.bench.workplace import SHIPPED, SHIPPED_SETTINGS, TARGET, Workplace

CONNECTIONS = 64
BASELINE = "hand-written view"


def report(place: Workplace, rounds: int, seconds: int) -> str:
    """Measure, and say it in a table."""
    target = TARGET.format(key="sync_example")
    subjects = {
        BASELINE: Subject("tests.bench.handwritten:mocked()", SHIPPED_SETTINGS, target),
        "siteswap": Subject("wsgi:app", SHIPPED, target),
    }
    readings = measure(place, subjects, connections=CONNECTIONS, seconds=seconds, rounds=rounds)
    title = "mocked: the three calls stay in the process; shipped gunicorn.conf.py (target: 0.85)"
    return rendered(title, readings, BASELINE)
