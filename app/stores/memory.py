"""The store that forgets: a dictionary and a lock, for one process and no restart."""

from __future__ import annotations

import threading
from dataclasses import replace

from app.instance import Instance, Outcome, Status


class MemoryStore:
    """Keeps instances for as long as this object lives; for one process only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._instances: dict[str, Instance] = {}

    def add(self, instance: Instance) -> None:
        with self._lock:
            if instance.id in self._instances:
                raise ValueError(f"the instance {instance.id} exists already")
            self._instances[instance.id] = instance

    def claim(self, instance_id: str, now: float) -> Instance | None:
        with self._lock:
            instance = self._instances.get(instance_id)
            if instance is None or instance.status is not Status.INIT:
                return None
            claimed = replace(instance, status=Status.RUNNING, started_at=now)
            self._instances[instance_id] = claimed
            return claimed

    def complete(self, instance_id: str, outcome: Outcome, now: float) -> bool:
        with self._lock:
            instance = self._instances.get(instance_id)
            if instance is None or instance.status is not Status.RUNNING:
                return False
            self._instances[instance_id] = replace(
                instance, status=outcome.status, payload=None, ended_at=now, outcome=outcome
            )
            return True

    def get(self, instance_id: str) -> Instance | None:
        with self._lock:
            return self._instances.get(instance_id)

    def close(self) -> None:
        """Nothing is held."""
