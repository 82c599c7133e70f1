"""The callback of a run: a run of its own posts how it ended, so the same promise covers it.

The delivery is added in the same atomic step that ends the run. It is a flow like any other, which
is accepted, claimed, retried and taken over by the same means.
"""

from __future__ import annotations

import hashlib
from typing import Any

from app.runs.run import Outcome, RunRecord, Status, new_id
from app.strict_json import MAX_DEPTH, dumps, loads

KEY = "siteswap-callback"
SOURCE = """\
name: Completion callback
description: Posts the end of a run to the address its flow gives, again and again for 20 minutes.
mode: async
timeout: 1h
retryable: true
concurrency: 8

inputs:
  url: {type: string, secret: true}
  body: object

steps:
  - id: post
    http: POST ${inputs.url}
    timeout: 10s
    json: ${inputs.body}
    retry:
      times: 10
      delay: 1s
      max_delay: 10m
      on: [connection, timeout, 408, 425, 429, 500, 502, 503, 504]
"""
DIGEST = hashlib.sha256(SOURCE.encode()).hexdigest()[:32]


def delivery(run: RunRecord, accepted: dict[str, Any], outcome: Outcome, now: float) -> RunRecord:
    """The run that tells how another one ended, which was ``accepted`` with this payload.

    It is queued, and has no owner yet. Its url is an input, so it may lead to public addresses
    only, unless the flow's own text chose it.
    """
    payload = {
        "inputs": {"url": accepted["callback"], "body": body(run, outcome)},
        "request": {},
        "seed": f"{accepted['seed']}/callback",
        "allows_private": accepted.get("callback_allows_private", False),
    }
    return RunRecord(
        id=delivery_id(run.id),
        flow_key=KEY,
        flow_version="v1",
        status=Status.INIT,
        created_at=now,
        payload=dumps(payload),
        source=DIGEST,
    )


def delivery_id(run_id: str) -> str:
    """The id of a run's delivery: it follows from the run's own, so there is never a second."""
    secret = f"{run_id}/callback".encode()
    return new_id("async", lambda size: hashlib.shake_256(secret).digest(size))


def body(run: RunRecord, outcome: Outcome) -> dict[str, Any]:
    """What is posted: the envelope that a sync flow would have answered with."""
    well = outcome.status is Status.FINISH
    return {
        "success": well,
        "errorCode": outcome.error_code,
        "errorMsg": outcome.error_message,
        "result": {
            "flowInstanceId": run.id,
            "status": outcome.status,
            "data": loads(outcome.result or "null", MAX_DEPTH + 10) if well else None,
        },
    }
