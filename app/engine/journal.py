"""The journal of a run: what must not happen twice is written down before and after it happens.

A run that died is replayed from its start. Steps with an effect outside are not carried out again
but answer what the journal has of them; everything else is computed again, and comes to the same,
because all it depends on is the same: the inputs, the results, and what ``now()`` and ``uuid()``
say. The time stands still between two entries of the journal, and a UUID follows from the run's
seed and the entry it was drawn after.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from app.content import Content
from app.engine.control import DeadlinePassed, HandedBack, HoldLost, Interrupted, StepError
from app.engine.masking import one_line
from app.engine.scope import Run
from app.instance import StepRecord
from app.json_text import MAX_DEPTH, dumps, loads
from app.step import Action, Step
from app.transport import Response

MAX_DETAIL = 500
VALUE_DEPTH = MAX_DEPTH + 10
"""A body that was read at the greatest depth must still be readable inside a record."""


class Journal:
    """The journal of one attempt of a run.

    ``records`` are of the attempts before. ``write`` keeps one and says whether the run is still in
    our hands; ``clock`` is in seconds since the epoch, as is ``started_at``; ``stopping`` says
    whether the process goes down.
    """

    def __init__(
        self,
        *,
        attempt: int,
        started_at: float,
        seed: str,
        records: Iterable[StepRecord],
        write: Callable[[StepRecord], bool],
        clock: Callable[[], float],
        stopping: Callable[[], bool],
    ) -> None:
        self._attempt = attempt
        self._seed = seed
        self._records = {record.path: record for record in records}
        self._write = write
        self._clock = clock
        self._stopping = stopping
        self._stand_at(started_at, "")

    def now(self) -> datetime:
        """The time of the last entry, in UTC."""
        return datetime.fromtimestamp(self._time, UTC)

    def uuid(self) -> str:
        """A random-looking UUID, which a replay draws again."""
        self._draws += 1
        return self._derived(f"{self._place}#{self._draws}")

    def key(self, path: str) -> str:
        """The idempotency key of a step: the same for all its attempts."""
        return self._derived(f"key:{path}")

    def ended(self, path: str) -> StepRecord | None:
        """The entry of a step that was carried out to its end."""
        record = self._records.get(path)
        if record is None or record.ended_at is None:
            return None
        self._stand_at(record.ended_at, f"{path}/end")
        return record

    def begin(self, path: str, step: Step, *, may_repeat: bool) -> StepRecord:
        """Write down that a step begins.

        Raises:
            Interrupted: it had begun before, and may not be repeated.
            HandedBack: the process goes down; the step is for another.
            HoldLost: the run is not ours any more.
        """
        before = self._records.get(path)
        if before is not None and not may_repeat:
            raise Interrupted(step.label)
        if self._stopping():
            raise HandedBack
        began = before.started_at if before else self._clock()
        record = StepRecord(path, step.label, step.verb, self._attempt, began)
        self._keep(record)
        self._stand_at(began, path)
        return record

    def end(self, begun: StepRecord, outcome: str, value: Any, detail: str) -> None:
        """Write down how a step ended.

        Raises:
            HoldLost: the run is not ours any more.
        """
        now = self._clock()
        self._keep(
            StepRecord(
                begun.path,
                begun.name,
                begun.verb,
                begun.attempt,
                begun.started_at,
                now,
                outcome,
                dumps(value),
                one_line(detail, MAX_DETAIL),
            )
        )
        self._stand_at(now, f"{begun.path}/end")

    def _keep(self, record: StepRecord) -> None:
        if not self._write(record):
            raise HoldLost
        self._records[record.path] = record

    def _stand_at(self, time: float, place: str) -> None:
        self._time, self._place, self._draws = time, place, 0

    def _derived(self, name: str) -> str:
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))


def journaled(action: Action, path: str, step: Step, *, may_repeat: bool) -> Action:
    """The action, carried out once in the life of a run that keeps a journal."""

    def once(run: Run) -> Any:
        journal = run.journal
        if journal is None:
            return action(run)
        if record := journal.ended(path):
            return _replayed(record)
        begun = journal.begin(path, step, may_repeat=may_repeat)
        try:
            result = action(run)
        except StepError as error:
            journal.end(begun, "error", _error_value(error), run.mask(error.message))
            raise
        except DeadlinePassed as signal:
            journal.end(begun, "timeout", signal.detail, run.mask(signal.detail or "timed out"))
            raise
        journal.end(begun, "ok", result, step.detail(result))
        return result

    return once


def _replayed(record: StepRecord) -> Any:
    value = loads(record.value or "null", VALUE_DEPTH)
    if record.outcome == "ok":
        return value
    if record.outcome == "timeout":
        raise DeadlinePassed(value or "", record.name)
    raise _error(value)


def _error_value(error: StepError) -> dict[str, Any]:
    answer = error.response
    return {
        "kind": error.kind,
        "message": error.message,
        "step": error.step,
        "retryAfter": error.retry_after,
        "answer": answer and [answer.status, dict(answer.headers), _text(answer.body)],
    }


def _text(body: Content) -> str:
    # Expressions read the body of an error as text, decoded like this.
    return bytes(body).decode("utf-8", "replace")


def _error(value: dict[str, Any]) -> StepError:
    answer = value["answer"]
    error = StepError(
        value["kind"],
        value["message"],
        response=answer and Response(answer[0], answer[1], answer[2].encode()),
        retry_after=value["retryAfter"],
    )
    error.step = value["step"]
    return error


def keyed(action: Action, path: str) -> Action:
    """The action, whose repetitions all carry one idempotency key."""

    def with_key(run: Run) -> Any:
        run.idempotency_key = run.journal.key(path) if run.journal else run.tools.uuid()
        return action(run)

    return with_key
