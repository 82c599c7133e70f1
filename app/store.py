"""The Store contract: where accepted runs live until they are polled.

A store never interprets what it keeps. Every method is one atomic step, safe to call from many
threads, greenlets and processes at once; when it returns, its effect is durable as far as the
implementation promises durability at all.
"""

from __future__ import annotations

from typing import Protocol

from app.instance import Instance, Outcome


class Store(Protocol):
    """Keeps instances.

    Every method raises :class:`app.errors.Busy` when the store cannot take the call now
    (locked, full, unreachable); nothing has changed then.
    """

    def add(self, instance: Instance) -> None:
        """Keep a new instance, which is ``INIT``. Committed when this returns.

        Raises:
            ValueError: an instance with this id exists already.
        """

    def claim(self, instance_id: str, now: float) -> Instance | None:
        """Move ``INIT`` → ``RUNNING`` and return the instance; ``None`` if it was not ``INIT``.

        Of any number of concurrent callers, exactly one gets the instance.
        """

    def complete(self, instance_id: str, outcome: Outcome, now: float) -> bool:
        """Move ``RUNNING`` → the outcome's terminal state and drop the payload.

        Returns whether it happened: ``False`` if the instance was not ``RUNNING``.
        """

    def get(self, instance_id: str) -> Instance | None:
        """The instance as it stands now, or ``None``."""

    def close(self) -> None:
        """Finish the calls under way, then release files and connections. No call follows."""
