"""A Celery application for the tests: its worker writes down what happens to it.

``BROKER`` is the broker, ``DIARY`` the file: lines of a process id, a word and perhaps an id. An id
that begins with ``wait`` is executed until the file ``DIARY.go`` is there; one that begins with
``die`` kills its process the first time.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from app.errors import SettingsError
from app.runs.executors.celery import make_celery

DIARY = Path(os.environ["DIARY"])
GO = DIARY.with_suffix(".go")


def write(word: str, run_id: str = "") -> None:
    """Add a line, in one piece."""
    line = f"{os.getpid()} {word} {run_id}".rstrip() + "\n"
    with DIARY.open("ab", buffering=0) as file:
        file.write(line.encode())


def execute(run_id: str) -> None:
    """Stands where the service stands."""
    has_begun = f"begin {run_id}\n" in DIARY.read_text()
    write("begin", run_id)
    if run_id.startswith("die") and not has_begun:
        os.kill(os.getpid(), signal.SIGKILL)
    while run_id.startswith("wait") and not GO.exists():
        time.sleep(0.01)
    write("end", run_id)


def check() -> None:
    """Refuses the start when it is told to."""
    write("check")
    if "REFUSE" in os.environ:
        raise SettingsError("hunter is not a setting")


celery = make_celery(
    os.environ["BROKER"], execute, lambda: write("start"), lambda: write("stop"), check=check
)
