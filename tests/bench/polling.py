"""*polling*: what 200 clients that poll at once cost those who trigger meanwhile.

Triggers come at a steady pace that leaves the server time to spare: at its limit, the latency would
only tell how many wait. A client that polls does it as the answer says (``Retry-After: 1``), which
the target is about, or, beside it, again as soon as it has its answer: 200 of those are a server at
its limit, whatever they ask for. What they ask for are runs that wait for their turn.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from statistics import median

from tests.bench.load import Load, wrk
from tests.bench.pacing import script
from tests.bench.processes import Server
from tests.bench.rounds import interleave, ratio
from tests.bench.table import table
from tests.bench.workplace import ASYNC_TARGET, HEADERS, SHIPPED, TARGET, Workplace

POLLING = 200
PAUSE_MS = 1_000
"""What ``Retry-After`` says."""
TRIGGERING, TRIGGER_PAUSE_MS = 10, 100
"""About 100 triggers a second."""
SECONDS = 5
"""Of one load: its p99 is the fifth worst of 500."""
SPARE = 40
"""Runs in front of those that are polled: they end, one a second in each worker."""
POLL = "/v1/open/flow/getAsyncFlowResult/{id}"
QUEUE = {"SITESWAP_QUEUE_SIZE": "1000000"}
FLOWS = {"async": ASYNC_TARGET.format(key="noop"), "sync": TARGET.format(key="sync_example")}
POLLS: Mapping[str, int | None] = {
    "nobody polls": None,
    f"{POLLING} poll, as Retry-After says": PAUSE_MS,
    f"{POLLING} poll, again at once": 0,
}
COLUMNS = ("", "triggers/s", "p50 ms", "p99 ms", "from – to", "polls/s", "poll p99 ms", "p99 ratio")


@dataclass(frozen=True, slots=True)
class Seen:
    """What those who trigger see, and those who poll, if anybody does."""

    triggers: Load
    polls: Load | None = None


def report(place: Workplace, rounds: int) -> str:
    """Measure, and say it in a table for each kind of flow."""
    with place.gunicorn("wsgi:app", SHIPPED, QUEUE) as server:
        return "\n".join(_compared(place, server, kind, rounds) for kind in FLOWS)


def _compared(place: Workplace, server: Server, kind: str, rounds: int) -> str:
    subjects = {name: partial(_seen, place, server, kind, pause) for name, pause in POLLS.items()}
    readings = interleave(subjects, rounds)
    title = f"polling: p99 of {kind} triggers (target: at most 2 where Retry-After is kept)"
    return table(title, COLUMNS, _rows(readings))


def _seen(place: Workplace, server: Server, kind: str, pause_ms: int | None) -> Seen:
    trigger = partial(_load, place, server, [FLOWS[kind]], TRIGGERING, TRIGGER_PAUSE_MS, SECONDS)
    if pause_ms is None:
        return Seen(trigger())
    paths = [POLL.format(id=run_id) for run_id in _parked(server)]
    with ThreadPoolExecutor(1) as pool:
        polls = pool.submit(_load, place, server, paths, POLLING, pause_ms, SECONDS + 2)
        # By then each of them has begun.
        time.sleep(PAUSE_MS / 1000)
        return Seen(trigger(), polls.result())


def _load(
    place: Workplace,
    server: Server,
    paths: Sequence[str],
    connections: int,
    pause_ms: int,
    seconds: int,
) -> Load:
    file = place.folder / f"{connections}.lua"
    file.write_text(script(paths, connections=connections, pause_ms=pause_ms))
    return wrk(
        server.url(""), connections=connections, seconds=seconds, headers=HEADERS, script=file
    )


def _parked(server: Server) -> list[str]:
    """Runs that will wait for a while yet; their ids, one for each client."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        ids = [_trigger(connection) for _ in range(SPARE + POLLING)][SPARE:]
        connection.request("GET", POLL.format(id=ids[-1]), headers=HEADERS)
        with connection.getresponse() as response:
            response.read()
            if response.headers["Retry-After"] != str(PAUSE_MS // 1000):
                raise RuntimeError("a run that waits is not polled as this measures it")
    return ids


def _trigger(connection: HTTPConnection) -> str:
    connection.request("GET", ASYNC_TARGET.format(key="parked"), headers=HEADERS)
    with connection.getresponse() as response:
        run_id: str = json.loads(response.read())["result"]["flowInstanceId"]
    return run_id


def _rows(readings: Mapping[str, Sequence[Seen]]) -> list[tuple[str, ...]]:
    worst = {name: [seen.triggers.p99 for seen in found] for name, found in readings.items()}
    alone = next(iter(worst.values()))
    return [
        (*_triggers(name, found), *_polls(found), f"{ratio(worst[name], alone):.2f}")
        for name, found in readings.items()
    ]


def _triggers(name: str, found: Sequence[Seen]) -> tuple[str, ...]:
    worst = [seen.triggers.p99 for seen in found]
    return (
        name,
        f"{median(seen.triggers.rate for seen in found):.0f}",
        f"{median(seen.triggers.p50 for seen in found):.1f}",
        f"{median(worst):.1f}",
        f"{min(worst):.1f} – {max(worst):.1f}",
    )


def _polls(found: Sequence[Seen]) -> tuple[str, str]:
    polls = [seen.polls for seen in found if seen.polls]
    if not polls:
        return "", ""
    return f"{median(p.rate for p in polls):.0f}", f"{median(p.p99 for p in polls):.0f}"
