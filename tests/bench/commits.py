"""Bare SQLite commits, what accepting is compared with: ``python -m tests.bench.commits``.

A process writes the two rows that accepting a run writes and commits, again and again: the same
statements into the same tables, in the same journal and sync mode.
"""

from __future__ import annotations

import argparse
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from app.runs.run import RunRecord, Status, new_id
from app.runs.stores import sqlite_statements as statements
from app.runs.stores.sqlite_file import connect, is_locked, prepare
from tests.bench.processes import ROOT

PLAIN, EAGER = "plain", "eager"
"""Ways to wait for the other process: SQLite's own, longer with every try, or a millisecond."""
PAUSE_MS = {PLAIN: 30_000, EAGER: 1}
LOCK_SECONDS = 30.0
SOURCE = "name: a flow\n" * 20


def rate(path: Path, seconds: int, processes: int, waiting: str) -> float:
    """Commits a second of so many processes together, into one file.

    Raises:
        subprocess.CalledProcessError: one of them failed.
    """
    prepare(path, LOCK_SECONDS)
    command = [sys.executable, "-m", "tests.bench.commits", str(path), str(seconds), waiting]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    counts = [process.communicate()[0] for process in started]
    for process in started:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
    return sum(map(int, counts)) / seconds


def commit_for(connection: sqlite3.Connection, seconds: float) -> int:
    """Commit one pair of rows after the other; how many."""
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        _insist(partial(connection.execute, "BEGIN IMMEDIATE"))
        statements.insert(connection, run=_instance(), source=SOURCE)
        _insist(partial(connection.execute, "COMMIT"))
        count += 1
    return count


def _insist(statement: Callable[[], object]) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            statement()
            return
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise


def _instance() -> RunRecord:
    return RunRecord(
        id=new_id("async", secrets.token_bytes),
        flow_key="noop",
        flow_version="v1",
        status=Status.INIT,
        created_at=time.time(),
        payload=f'{{"inputs":{{}},"request":{{}},"seed":"{secrets.token_hex(16)}"}}',
        source="0" * 64,
        owner="host.example.com/12345/01234567",
    )


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("waiting", choices=PAUSE_MS)
    options = parser.parse_args()
    with closing(connect(options.path, LOCK_SECONDS)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {PAUSE_MS[options.waiting]}")
        print(commit_for(connection, options.seconds))


if __name__ == "__main__":
    _main()
