"""Disks that are full, without a disk: files of a process that cannot grow, or a small tmpfs."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def no_file_grows(pids: Iterable[int], size: int) -> Iterator[None]:
    """Let no file of these processes become larger than ``size`` bytes, for a while."""
    _limit(pids, size)
    try:
        yield
    finally:
        _limit(pids, resource.RLIM_INFINITY)


def _limit(pids: Iterable[int], size: int) -> None:
    for pid in pids:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[bool]:
    """Mount a tmpfs of this size (``2m``) in a folder; says whether that is permitted here."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Fill what is free on the disk of this folder."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler, suppress(OSError):
        for size in (65_536, 512, 1):
            with suppress(OSError):
                while filler.write(b"\0" * size) == size:
                    pass
    try:
        yield
    finally:
        os.unlink(file)
