"""*real*: the three calls go over HTTP to a fast server in a process of its own."""

from __future__ import annotations

from importlib.util import find_spec

from tests.bench.comparison import Subject, measure, rendered
from tests.bench.load import Load, wrk
from tests.bench.workplace import SHIPPED, SHIPPED_SETTINGS, TARGET, Workplace, gthread

CONNECTIONS = 64
BASELINE = "view, urllib3, gthread 2×16"
CALLS = 3
SIMPLEST_CALL = "/example/user/getUserById?userId=1"


def report(place: Workplace, rounds: int, seconds: int) -> str:
    """Measure, and say it in a table."""
    ceilings = [_ceiling(place, seconds)]
    readings = measure(place, _subjects(), connections=CONNECTIONS, seconds=seconds, rounds=rounds)
    ceilings.append(_ceiling(place, seconds))
    calls = min(load.rate for load in ceilings)
    title = "real: the three calls go over HTTP (target for the first siteswap row: 1.8)"
    note = (
        f"The downstream alone answers {calls:,.0f} calls a second, "
        f"{calls / CALLS:,.0f} flows a second: it is not the bottleneck.\n"
    )
    return rendered(title, readings, BASELINE) + note


def _ceiling(place: Workplace, seconds: int) -> Load:
    url = place.downstream.url(SIMPLEST_CALL)
    return wrk(url, connections=CONNECTIONS, seconds=seconds, headers={})


def _subjects() -> dict[str, Subject]:
    target, view = TARGET.format(key="real_example"), "tests.bench.handwritten:with_urllib3()"
    subjects = {
        BASELINE: Subject(view, gthread(16), target),
        "siteswap, as shipped": Subject("wsgi:app", SHIPPED, target),
        "siteswap, gthread 2×16": Subject("wsgi:app", gthread(16), target),
        "view, urllib3, as shipped": Subject(view, SHIPPED_SETTINGS, target),
    }
    if find_spec("pycurl"):
        engine, curl_view = "tests.bench.curl:engine()", "tests.bench.curl:view()"
        subjects |= {
            "siteswap with pycurl, gthread 2×16": Subject(engine, gthread(16), target),
            "view, pycurl, gthread 2×16": Subject(curl_view, gthread(16), target),
        }
    return subjects
