"""The store in Redis (or Valkey), shared by all processes of all machines.

It is as durable as Redis is configured: ``docs/scale-out.md`` says what each setting loses. Every
method is one command, or one script of :mod:`app.runs.stores.redis_scripts`. The first calls open
connections, and after a failure they are opened again, so no restart is needed. A forked process
opens its own.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from app.errors import Busy
from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runs.stores import redis_scripts as scripts
from app.runs.stores.redis_scripts import FIELDS
from app.runtime.record import StepRecord

PREFIX = "{siteswap}:"
"""Begins every key. The braces keep all of them together where Redis is a cluster."""

TIMEOUT = 5.0
CONNECTIONS = 32
"""Connections of one process at most: calls take turns on them, and each is short."""

_PASSING = re.compile(
    r"\b(OOM|READONLY|LOADING|BUSY|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK"
    r"|NOAUTH|WRONGPASS|NOPERM)\b|unauthenticated|max number of clients"
)
"""In an error that Redis answers: what an operator mends, or what passes. All else is a bug."""


class RedisStore:
    """Keeps instances in Redis. ``retention`` is for how many seconds an ended run is kept.

    ``timeout`` bounds how many seconds a call waits for a connection, and how many for the answer.
    """

    def __init__(
        self,
        url: str,
        *,
        retention: float,
        timeout: float = TIMEOUT,
        connections: int = CONNECTIONS,
        prefix: str = PREFIX,
    ) -> None:
        self._client = open_client(url, timeout, connections)
        self._prefix = prefix
        self._retention = max(1, round(retention * 1000))
        self._scripts = {text: self._client.register_script(text) for text in scripts.ALL}

    def add(self, run: RunRecord, source: str) -> None:
        if not self._run(scripts.ADD, run.id, source, *_fields_of(run)):
            raise ValueError(f"the instance {run.id} exists already")

    def claim(self, run_id: str, owner: str, now: float) -> RunRecord | None:
        values = self._run(scripts.CLAIM, run_id, owner, repr(now), *FIELDS)
        return None if values is None else _instance(run_id, values)

    def record(self, claim: Claim, record: StepRecord) -> bool:
        value = [] if record.value is None else [record.value]
        return bool(
            self._run(scripts.RECORD, *_words(claim), record.path, _step_text(record), *value)
        )

    def complete(
        self, run_id: str, claim: Claim | None, outcome: Outcome, now: float,
        then: RunRecord | None = None, then_source: str = "",
    ) -> bool:  # fmt: skip
        if claim is not None and claim.run_id != run_id:
            return False
        how = ["any", "", "", ""] if claim is None else ["hold", *_words(claim)[1:]]
        ending = _ending(outcome, now)
        following = [] if then is None else [then.id, then_source, *_fields_of(then)]
        return bool(
            self._run(
                scripts.COMPLETE,
                *(run_id, *how, self._retention, len(ending), *ending, *following),
            )
        )

    def release(self, claim: Claim, owner: str = "") -> bool:
        return bool(self._run(scripts.RELEASE, *_words(claim), owner))

    def get(self, run_id: str) -> RunRecord | None:
        with _busy():
            values = self._client.hmget(f"{self._prefix}run:{run_id}", FIELDS)
        return None if values[0] is None else _instance(run_id, values)

    def records(self, run_id: str, last: int | None = None) -> Sequence[StepRecord]:
        what = "all" if last is None else "steps"
        steps, values = map(_pairs, self._run(scripts.RECORDS, run_id, what))
        numbered = [(path, *text.split(" ", 1)) for path, text in steps.items()]
        numbered.sort(key=lambda each: int(each[1]))
        return [
            _step(path, text, values.get(path))
            for path, _, text in numbered[-last if last else None :]
        ]

    def find(
        self, *, status: Status | None = None, flow_key: str | None = None, limit: int
    ) -> Sequence[RunRecord]:
        if limit < 1:
            return []
        found = self._run(scripts.FIND, _index(status, flow_key), limit, *FIELDS[:-1])
        return [_instance(run_id, [*values, None]) for run_id, *values in found]

    def source(self, digest: str) -> str | None:
        with _busy():
            text: Any = self._client.get(f"{self._prefix}source:{digest}")
        return None if text is None else str(text)

    def beat(self, owner: str, count: int) -> None:
        self._run(scripts.BEAT, owner, count)

    def retire(self, owner: str) -> None:
        with _busy():
            self._client.hdel(f"{self._prefix}beats", owner)

    def owners(self) -> Mapping[str, int | None]:
        holders, beats = self._run(scripts.OWNERS)
        counts = {owner: int(count) for owner, count in _pairs(beats).items()}
        return {**dict.fromkeys(holders), **counts}

    def held(self, owners: Collection[str], limit: int) -> Sequence[Claim]:
        if limit < 1:
            return []
        found = self._run(scripts.HELD, limit, *owners)
        return [
            Claim(key, owner, int(attempt), queued == "1") for key, owner, attempt, queued in found
        ]

    def adopt(self, claims: Sequence[Claim], owner: str) -> Sequence[str]:
        words = [word for claim in claims for word in _words(claim)]
        adopted: list[str] = self._run(scripts.ADOPT, owner, *words)
        return adopted

    def prune(self, ended_before: float, keep: int, limit: int) -> int:
        if limit < 1:
            return 0
        return int(self._run(scripts.PRUNE, repr(ended_before), keep, limit))

    def close(self) -> None:
        self._client.connection_pool.disconnect()

    def _run(self, script: str, *arguments: str | int) -> Any:
        with _busy():
            return self._scripts[script](keys=[self._prefix], args=arguments)


def open_client(url: str, timeout: float, connections: int) -> Redis:
    """A client that opens connections when they are needed, as the store wants them.

    Raises:
        ValueError: this is not the URL of a Redis.
    """
    tls = url.startswith("rediss:")
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        socket_keepalive=True,
        decode_responses=True,
        protocol=2,
        # The client repeats nothing: after a lost answer, a second ADD would say that the run
        # exists already. The caller knows what may be repeated.
        retry=Retry(NoBackoff(), 0),
        # As in app.config.tls: from 3.13 on, Python refuses many authorities of companies.
        **({"ssl_exclude_verify_flags": [ssl.VERIFY_X509_STRICT]} if tls else {}),
    )
    return Redis(connection_pool=pool)


@contextmanager
def _busy() -> Iterator[None]:
    """Turns what is wrong with Redis now, but need not stay so, into Busy."""
    try:
        yield
    except RedisError as error:
        if isinstance(error, ResponseError) and not _is_passing(error):
            raise
        # The cause is for the log: neither it nor the message shows the URL.
        raise Busy("the store cannot be used now") from error


def _is_passing(error: ResponseError) -> bool:
    # redis-py takes the first word off what it knows and makes it the class; a script may have
    # put it in the middle.
    return type(error) is not ResponseError or bool(_PASSING.search(str(error)))


def _index(status: Status | None, flow_key: str | None) -> str:
    names = [] if status is None else ["status", status]
    names += [] if flow_key is None else ["flow", flow_key]
    return ":".join(names) or "all"


def _words(claim: Claim) -> tuple[str, str, int, int]:
    return claim.run_id, claim.owner, claim.attempt, int(claim.queued)


def _present(fields: Mapping[str, str | int | float | None]) -> list[str]:
    """Names and values, one after the other. ``repr`` writes a float so that it reads the same."""
    return [
        text
        for name, value in fields.items()
        if value is not None
        for text in (name, repr(float(value)) if name.endswith("_at") else str(value))
    ]


def _fields_of(run: RunRecord) -> list[str]:
    return _present(
        {
            "flow_key": run.flow_key,
            "flow_version": run.flow_version,
            "status": run.status,
            "created_at": run.created_at,
            "source": run.source,
            "owner": run.owner,
            "queued": int(run.queued),
            "attempt": run.attempt,
            "crashes": run.crashes,
            "started_at": run.started_at,
            "payload": run.payload,
        }
    )


def _ending(outcome: Outcome, now: float) -> list[str]:
    return _present(
        {
            "status": outcome.status,
            "ended_at": now,
            "result": outcome.result,
            "error_code": outcome.error_code,
            "error_message": outcome.error_message,
            "reason": outcome.reason,
        }
    )


def _instance(run_id: str, values: Sequence[Any]) -> RunRecord:
    field = dict(zip(FIELDS, values, strict=True))
    status = Status(field["status"])
    return RunRecord(
        id=run_id,
        flow_key=field["flow_key"],
        flow_version=field["flow_version"],
        status=status,
        created_at=float(field["created_at"]),
        payload=field["payload"],
        source=field["source"],
        owner=field["owner"],
        queued=field["queued"] == "1",
        attempt=int(field["attempt"]),
        crashes=int(field["crashes"]),
        started_at=_time(field["started_at"]),
        ended_at=_time(field["ended_at"]),
        outcome=_outcome(status, field) if status.is_terminal else None,
    )


def _outcome(status: Status, field: Mapping[str, Any]) -> Outcome:
    return Outcome(
        status,
        result=field["result"],
        error_code=int(field["error_code"]),
        error_message=field["error_message"],
        reason=field["reason"],
    )


def _time(text: str | None) -> float | None:
    return None if text is None else float(text)


def _step_text(record: StepRecord) -> str:
    return json.dumps(
        [
            *(record.name, record.verb, record.attempt),
            *(record.started_at, record.ended_at, record.outcome, record.detail),
        ]
    )


def _step(path: str, text: str, value: str | None) -> StepRecord:
    name, verb, attempt, started_at, ended_at, outcome, detail = json.loads(text)
    return StepRecord(path, name, verb, attempt, started_at, ended_at, outcome, value, detail)


def _pairs(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
