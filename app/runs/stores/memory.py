"""The store that forgets: dictionaries and a lock, for one process and no restart."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runtime.record import StepRecord


class MemoryStore:
    """Keeps instances for as long as this object lives; for one process only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._instances: dict[str, RunRecord] = {}
        self._unended: dict[str, None] = {}
        self._records: dict[str, dict[str, StepRecord]] = {}
        self._sources: dict[str, str] = {}
        self._beats: dict[str, int] = {}

    def add(self, run: RunRecord, source: str) -> None:
        with self._lock:
            if run.id in self._instances:
                raise ValueError(f"the instance {run.id} exists already")
            self._add(run, source)

    def claim(self, run_id: str, owner: str, now: float) -> RunRecord | None:
        with self._lock:
            found = self._instances.get(run_id)
            if found is None or not found.queued:
                return None
            claimed = replace(
                found,
                status=Status.RUNNING,
                owner=owner,
                queued=False,
                attempt=found.attempt + 1,
                started_at=now if found.started_at is None else found.started_at,
            )
            self._instances[run_id] = claimed
            return claimed

    def record(self, claim: Claim, record: StepRecord) -> bool:
        with self._lock:
            if not self._is_under(claim) or self._is_new(claim.run_id):
                return False
            self._records.setdefault(claim.run_id, {})[record.path] = record
            return True

    def complete(
        self, run_id: str, claim: Claim | None, outcome: Outcome, now: float,
        then: RunRecord | None = None, then_source: str = "",
    ) -> bool:  # fmt: skip
        with self._lock:
            found = self._instances.get(run_id)
            if found is None or found.outcome or claim not in (None, found.claim):
                return False
            self._instances[run_id] = replace(
                found,
                status=outcome.status,
                owner="",
                queued=False,
                ended_at=now,
                outcome=outcome,
            )
            del self._unended[run_id]
            steps = self._records.get(run_id, {})
            steps.update({path: replace(step, value=None) for path, step in steps.items()})
            if then is not None and then.id not in self._instances:
                self._add(then, then_source)
            return True

    def release(self, claim: Claim, owner: str = "") -> bool:
        with self._lock:
            if not self._is_under(claim):
                return False
            self._change(claim.run_id, owner=owner, queued=True)
            return True

    def get(self, run_id: str) -> RunRecord | None:
        with self._lock:
            return self._instances.get(run_id)

    def records(self, run_id: str, last: int | None = None) -> Sequence[StepRecord]:
        with self._lock:
            records = tuple(self._records.get(run_id, {}).values())
        if last is None:
            return records
        return [replace(record, value=None) for record in records[-last:]]

    def find(
        self, *, status: Status | None = None, flow_key: str | None = None, limit: int
    ) -> Sequence[RunRecord]:
        with self._lock:
            fitting = [
                replace(each, payload=None)
                for each in self._instances.values()
                if status in (None, each.status) and flow_key in (None, each.flow_key)
            ]
        return sorted(fitting, key=lambda each: each.created_at, reverse=True)[:limit]

    def source(self, digest: str) -> str | None:
        with self._lock:
            return self._sources.get(digest)

    def beat(self, owner: str, count: int) -> None:
        with self._lock:
            self._beats[owner] = count

    def retire(self, owner: str) -> None:
        with self._lock:
            self._beats.pop(owner, None)

    def owners(self) -> Mapping[str, int | None]:
        with self._lock:
            holders = {self._instances[each].owner: None for each in self._unended}
            return {**holders, **self._beats}

    def held(self, owners: Collection[str], limit: int) -> Sequence[Claim]:
        with self._lock:
            found = [self._instances[each] for each in self._unended]
        fitting = sorted(
            (each for each in found if each.owner in owners), key=lambda each: each.created_at
        )
        return [each.claim for each in fitting[:limit]]

    def adopt(self, claims: Sequence[Claim], owner: str) -> Sequence[str]:
        with self._lock:
            adopted = [claim for claim in claims if self._is_under(claim)]
            for claim in adopted:
                crashes = self._instances[claim.run_id].crashes + (not claim.queued)
                self._change(claim.run_id, owner=owner, queued=True, crashes=crashes)
            return [claim.run_id for claim in adopted]

    def prune(self, ended_before: float, keep: int, limit: int) -> int:
        with self._lock:
            ended = sorted(
                (each.ended_at, each.id)
                for each in self._instances.values()
                if each.ended_at is not None
            )
            too_many = max(len(ended) - keep, 0)
            old = sum(at < ended_before for at, _ in ended)
            dropped = ended[: min(max(too_many, old), limit)]
            for _, run_id in dropped:
                del self._instances[run_id]
                self._records.pop(run_id, None)
            self._drop_sources()
            return len(dropped)

    def close(self) -> None:
        """Nothing is held."""

    def _add(self, run: RunRecord, source: str) -> None:
        self._instances[run.id] = run
        self._unended[run.id] = None
        self._sources[run.source] = source

    def _is_under(self, claim: Claim) -> bool:
        known = claim.run_id in self._unended
        return known and self._instances[claim.run_id].claim == claim

    def _is_new(self, run_id: str) -> bool:
        return self._instances[run_id].status is Status.INIT

    def _change(self, run_id: str, **changes: object) -> None:
        self._instances[run_id] = replace(self._instances[run_id], **changes)  # type: ignore[arg-type]

    def _drop_sources(self) -> None:
        needed = {self._instances[each].source for each in self._unended}
        self._sources = {name: text for name, text in self._sources.items() if name in needed}
