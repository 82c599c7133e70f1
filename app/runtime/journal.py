"""The journal of a run: what must not happen twice is written down before and after it happens.

A run that died is replayed from its start. Steps with an effect outside are not carried out again
but answer what the journal has of them; everything else is computed again, and comes to the same,
because all it depends on is the same: the inputs, the results, and what ``now()`` and ``uuid()``
say. The time does not go on between two entries of the journal, and a UUID follows from the run's
seed and the entry it was drawn after.
"""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.http.message import Content, Response
from app.language.step import Step
from app.runtime.masking import one_line
from app.runtime.record import StepRecord
from app.runtime.scope import Action, Run
from app.runtime.signals import (
    ClaimLost,
    DeadlinePassed,
    Interrupted,
    ReplayEnded,
    ShuttingDown,
    StepError,
)
from app.runtime.verb import Verb
from app.strict_json import MAX_DEPTH, dumps, loads

MAX_DETAIL = 500
RETRY_SCHEDULED = "put off"
"""The outcome of a step that failed and is repeated later. It has not ended."""
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
        self._is_closed = False
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

    def branch(self, place: str) -> Journal:
        """The journal of a branch, whose time goes on by itself."""
        branch = copy.copy(self)
        branch._stand_at(self._time, place)
        return branch

    @property
    def time(self) -> float:
        """The time of the last entry, in seconds since the epoch."""
        return self._time

    def join(self, time: float, place: str) -> None:
        """Go on after branches; ``time`` is that of the last entry among theirs."""
        self._stand_at(max(self._time, time), place)

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
            ShuttingDown: the process shuts down; another one does the step.
            ClaimLost: another process has the run, or it has ended.
            ReplayEnded: the journal is closed.
        """
        if self._is_closed:
            raise ReplayEnded
        before = self._records.get(path)
        if before is not None and before.outcome != RETRY_SCHEDULED and not may_repeat:
            raise Interrupted(step.label)
        if self._stopping():
            raise ShuttingDown
        began = before.started_at if before else self._clock()
        value = before.value if before else None
        record = StepRecord(path, step.label, step.verb, self._attempt, began, value=value)
        self._keep(record)
        self._stand_at(began, path)
        return record

    def end(self, begun: StepRecord, outcome: str, value: Any, detail: str) -> None:
        """Write down how a step ended.

        Raises:
            ClaimLost: another process has the run, or it has ended.
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

    def schedule_retry(self, path: str, repetition: int, seconds: float) -> float:
        """Write down that a step that has begun is repeated later; when, since the epoch.

        Nothing of it is under way meanwhile, so another attempt may go on with it.

        Raises:
            ClaimLost: another process has the run, or it has ended.
        """
        until = self._clock() + seconds
        value = dumps([repetition, until])
        self._keep(replace(self._records[path], outcome=RETRY_SCHEDULED, value=value))
        return until

    def repetition(self, path: str) -> tuple[int, float]:
        """Which repetition of a step that has begun is next, and in how many seconds."""
        record = self._records[path]
        number, until = loads(record.value) if record.value else (0, 0.0)
        return number, until - self._clock()

    def enter(self, path: str, step: Step) -> StepRecord:
        """The entry of a step with steps inside, which are replayed themselves; written if new.

        Raises:
            ShuttingDown, ClaimLost, ReplayEnded: as :meth:`begin`.
        """
        record = self._records.get(path)
        if record is None:
            return self.begin(path, step, may_repeat=True)
        self._stand_at(record.started_at, path)
        return record

    @contextmanager
    def closed(self) -> Iterator[None]:
        """For a replay of something that has failed: nothing new begins, nothing is written."""
        outer, self._is_closed = self._is_closed, True
        try:
            yield
        finally:
            self._is_closed = outer

    def note(self, path: str, step: Step, value: Any, detail: str) -> None:
        """Write down what a step found out, begun and ended at once.

        Raises:
            ClaimLost: another process has the run, or it has ended.
        """
        begun = StepRecord(path, step.label, step.verb, self._attempt, self._clock())
        self.end(begun, "ok", value, detail)

    def noted(self, path: str) -> StepRecord | None:
        """What an earlier attempt found out; the time does not go on."""
        return self._records.get(path)

    def left(self, begun: StepRecord, seconds: float) -> float:
        """Remaining seconds of a time that began with an entry; negative once expired."""
        return begun.started_at + seconds - self._clock()

    def is_from_before(self, record: StepRecord) -> bool:
        """Whether an earlier attempt of the run wrote it."""
        return record.attempt < self._attempt

    def _keep(self, record: StepRecord) -> None:
        if self._is_closed:
            raise ReplayEnded
        if not self._write(record):
            raise ClaimLost
        self._records[record.path] = record

    def _stand_at(self, time: float, place: str) -> None:
        self._time, self._place, self._draws = time, place, 0

    def _derived(self, name: str) -> str:
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))


def journaled(action: Action, path: str, step: Verb, *, may_repeat: bool) -> Action:
    """The action, carried out once in the life of a run that keeps a journal."""

    def once(run: Run) -> Any:
        journal = run.journal
        if journal is None:
            return action(run)
        place = run.place + path
        if record := journal.ended(place):
            return replayed(record)
        begun = journal.begin(place, step, may_repeat=may_repeat)
        try:
            result = action(run)
        except StepError as error:
            journal.end(begun, "error", error_value(error), run.mask(error.message))
            raise
        except DeadlinePassed as signal:
            journal.end(begun, "timeout", signal.detail, run.mask(signal.detail or "timed out"))
            raise
        journal.end(begun, "ok", result, step.detail(result))
        return result

    return once


def replayed(record: StepRecord) -> Any:
    """What a step gave that was carried out to its end.

    Raises:
        StepError, DeadlinePassed: it failed like this.
    """
    value = loads(record.value or "null", VALUE_DEPTH)
    if record.outcome == "ok":
        return value
    if record.outcome == "timeout":
        raise DeadlinePassed(value or "", record.name)
    raise _error(value)


def error_value(error: StepError) -> dict[str, Any]:
    """A failure as the value of an entry."""
    answer = error.response
    return {
        "kind": error.kind,
        "message": error.message,
        "step": error.step,
        "retryAfter": error.retry_after,
        "code": error.code,
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
        code=value["code"],
    )
    error.step = value["step"]
    return error


def keyed(action: Action, path: str) -> Action:
    """The action, whose repetitions all carry one idempotency key."""

    def with_key(run: Run) -> Any:
        journal = run.journal
        run.idempotency_key = journal.key(run.place + path) if journal else run.dependencies.uuid()
        return action(run)

    return with_key
