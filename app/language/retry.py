"""The key ``retry``: when, and how often, a step that failed is repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, post_load

from app.language.fields import (
    Boolean,
    Duration,
    Integer,
    JsonSchema,
    StrictSchema,
    describe,
    field_schema,
    object_schema,
    validation_error,
)
from app.words import did_you_mean


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a step is repeated. ``delay`` and ``max_delay`` are seconds.

    ``on`` holds statuses (numbers) and the failure kinds ``connection`` and ``timeout``.
    The wait before repetition *n* (from 0) is ``delay * backoff**n``, at most ``max_delay``.
    """

    times: int
    on: frozenset[int | str]
    delay: float
    backoff: float
    max_delay: float
    jitter: bool
    idempotent: bool


RETRY_KINDS = ("connection", "timeout", "conflict", "python")
RETRY_DEFAULT_ON: frozenset[int | str] = frozenset({*RETRY_KINDS, 429, 502, 503, 504})


class RetryOn(fields.Field[int | str]):
    """A status (100–599), or a kind of failure that may pass."""

    def json_schema(self) -> JsonSchema:
        statuses = {"type": "integer", "minimum": 100, "maximum": 599}
        return {"anyOf": [{"enum": list(RETRY_KINDS)}, statuses]}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int | str:
        if value in RETRY_KINDS:
            return str(value)
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return value
        near = did_you_mean(value, RETRY_KINDS) if isinstance(value, str) else None
        raise validation_error(
            "bad-choice",
            f"expected {', '.join(RETRY_KINDS)} or a status, got {describe(value)}",
            f"write `{near}` instead" if near else None,
        )


class RetrySchema(StrictSchema):
    """``retry: 3``, or an object with these keys."""

    MISPLACED = {  # noqa: RUF012
        "max": "write `times` instead",
        "attempts": "write `times`: the repetitions, without the first try",
        "max_attempts": "write `times`: the repetitions, without the first try",
        "wait": "write `delay` instead",
        "interval": "write `delay` instead",
    }
    EXAMPLE = "write `retry: 3`"

    times = Integer(0, 10, load_default=3)
    on = fields.List(RetryOn, load_default=sorted(RETRY_DEFAULT_ON, key=str))
    delay = Duration(load_default=0.2)
    backoff = Integer(1, 10, load_default=2)
    max_delay = Duration(load_default=10.0)
    jitter = Boolean(load_default=True)
    idempotent = Boolean(load_default=False)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RetryPolicy:
        return RetryPolicy(
            **{**data, "on": frozenset(data["on"]), "backoff": float(data["backoff"])}
        )


class RetryField(fields.Nested):
    """The ``retry`` key: a number of repetitions, or the whole policy."""

    def __init__(self, **options: Any) -> None:
        super().__init__(RetrySchema, **options)

    def json_schema(self) -> JsonSchema:
        times = field_schema(RetrySchema().fields["times"])
        return {"anyOf": [times, object_schema(RetrySchema())]}

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            value = {"times": value}
        return super()._deserialize(value, *args, **options)
