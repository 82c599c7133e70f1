"""Celery's workers in a temporary folder, started and ended by a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.blackbox.client import eventually
from tests.blackbox.server import environment

START_SECONDS = 60
STOP_SECONDS = 60
"""Celery gives a process up to 30 s whose last results it has lost with its broker."""
CELERY = Path(sys.executable).with_name("celery")


class Workers:
    """``celery <arguments>`` with a pool of two processes, in a folder that is prepared.

    It leads a process group of its own, which its pool belongs to.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], arguments: Sequence[str], log: str
    ) -> None:
        self._log = folder / log
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [CELERY, *arguments, "--concurrency", "2"],
                cwd=folder, env=environment(settings), stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        try:
            eventually(self._is_ready, bool, START_SECONDS)
        except BaseException:
            self.kill()
            raise

    @property
    def log(self) -> str:
        """All that it wrote."""
        return self._log.read_text("utf-8", "replace")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return " ready." in self.log

    def pool(self) -> list[int]:
        """The process ids of its pool, those that live."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with suppress(OSError):
            return [int(pid) for pid in children.read_text().split() if _lives(pid)]
        return []

    def kill(self) -> None:
        """What a power cut is to all its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to go down; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            if self.process.poll() is None:
                self.kill()


def _lives(pid: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
