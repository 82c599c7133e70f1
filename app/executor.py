"""The Executor contract: who runs accepted instances. Only an instance id crosses this seam."""

from __future__ import annotations

from typing import Protocol


class Executor(Protocol):
    """Runs instances later, elsewhere. Made with the function that executes one id."""

    def reserve(self) -> None:
        """Take a place in the queue for one submission to come.

        Called before the instance is stored, so that an instance which was accepted always has
        a place. Every successful call is followed by exactly one ``submit`` or ``cancel``.

        Raises:
            Busy: the queue is full.
        """

    def submit(self, instance_id: str) -> None:
        """Hand over an instance that is committed in the store; uses up one reservation."""

    def cancel(self) -> None:
        """Give a reservation back: the instance could not be stored."""

    def close(self, timeout: float) -> None:
        """Accept nothing more and wait up to ``timeout`` seconds for what was accepted."""
