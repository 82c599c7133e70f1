"""One thread per process that looks for changed files every second.

It polls, because change notifications do not cross bind mounts and network file systems.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

INTERVAL = 1.0
"""Seconds between two looks."""


class Poller:
    """Calls each of ``looks`` every ``interval`` seconds, from ``start`` to ``close``."""

    def __init__(
        self, looks: Sequence[Callable[[], object]], log: logging.Logger, interval: float = INTERVAL
    ) -> None:
        self._looks = looks
        self._log = log
        self._interval = interval
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look; does nothing if it looks already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            for look in self._looks:
                try:
                    look()
                except Exception:  # noqa: BLE001 - a look that fails must not end the looking
                    self._log.exception("looking for changes failed; the next look comes")

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
