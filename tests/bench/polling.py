"""*polling*: what triggers cost while 200 clients poll, each once a second, as they are told to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median

from tests.bench.load import polling
from tests.bench.processes import Server
from tests.bench.rounds import interleave, ratio
from tests.bench.table import table
from tests.bench.workplace import (
    ASYNC_TARGET,
    HEADERS,
    SHIPPED,
    Reading,
    Workplace,
    answer,
    flows,
)

CALLERS = 8
POLLERS = 200
RESULT = "/v1/open/flow/getAsyncFlowResult/{}"
ALONE, BESIDE = "triggers alone", f"the same, beside {POLLERS} clients that poll"
COLUMNS = ("", "triggers/s", "p50 ms", "p99 ms", "p99, of alone")


def report(place: Workplace, rounds: int, seconds: int) -> str:
    """Measure, and say it in a table."""
    target = ASYNC_TARGET.format(key="noop")
    with place.gunicorn("wsgi:app", SHIPPED, {"SITESWAP_QUEUE_SIZE": "1000000"}) as server:
        instance_id = json.loads(answer(server, target))["result"]["flowInstanceId"]
        load = partial(flows, server, target, CALLERS, seconds)
        load()
        readings = interleave(
            {ALONE: load, BESIDE: partial(_beside, server, instance_id, seconds, load)}, rounds
        )
    title = f"polling: {CALLERS} callers of an async flow (target: p99 at most doubled)"
    return table(title, COLUMNS, _rows(readings))


def _beside(server: Server, instance_id: str, seconds: int, load: partial[Reading]) -> Reading:
    with _pollers(server, instance_id, seconds):
        return load()


@contextmanager
def _pollers(server: Server, instance_id: str, seconds: int) -> Iterator[None]:
    url = server.url(RESULT.format(instance_id))
    with polling(url, connections=POLLERS, seconds=seconds + 1, headers=HEADERS):
        yield


def _rows(readings: Mapping[str, Sequence[Reading]]) -> list[tuple[str, ...]]:
    tails = {name: [each.load.p99 for each in found] for name, found in readings.items()}
    return [
        (
            name,
            f"{median(each.load.rate for each in found):,.0f}",
            f"{median(each.load.p50 for each in found):.1f}",
            f"{median(tails[name]):.1f}",
            f"{ratio(tails[name], tails[ALONE]):.2f}",
        )
        for name, found in readings.items()
    ]
