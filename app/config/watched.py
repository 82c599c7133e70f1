"""Files that are read again when they change. Their readers keep the last good content.

A change is found by comparing a file's signature, which costs one ``stat`` for each file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

Signature = tuple[int, int, int]
"""Modification time in ns, size in bytes, inode."""


def signature_of(file: os.DirEntry[str] | Path) -> Signature:
    """The signature of a file as it is now.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    status = file.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


class WatchedFiles:
    """A few files, any of which may be missing."""

    def __init__(self, *paths: Path) -> None:
        """To begin with, these count as missing."""
        self._seen: dict[Path, Signature | None] = dict.fromkeys(paths)

    def remember(self, paths: Iterable[Path]) -> None:
        """Watch these files, and compare with how they are now.

        Call it before you read them: a change in between is then seen as a change next time.
        """
        self._seen.update((path, _signature(path)) for path in paths)

    def have_changed(self) -> bool:
        """Whether one was changed, made or removed since it was remembered."""
        return any(_signature(path) != seen for path, seen in self._seen.items())


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """The files of a folder, by path, compared with those that were remembered."""

    files: Mapping[str, Signature]
    """All there are now."""
    changed: frozenset[str]
    """Those of them that are new or changed."""
    gone: frozenset[str]
    """Those that are not there any more."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


class WatchedFolder:
    """The files that ``list_files`` finds in a folder."""

    def __init__(
        self,
        path: Path,
        list_files: Callable[[Path], Iterable[os.DirEntry[str]]],
        log: logging.Logger,
        *,
        what: str,
    ) -> None:
        """``what`` names the folder in the log: ``flows folder``."""
        self._path = path
        self._list_files = list_files
        self._log = log
        self._what = what
        self._is_readable = True
        self._seen: Mapping[str, Signature] = {}

    def changes(self) -> FolderChanges | None:
        """What has changed; ``None`` while the folder cannot be read, which is logged once.

        A folder that is being replaced or mounted again is no reason to forget what it held.
        """
        try:
            files = {file.path: signature_of(file) for file in self._list_files(self._path)}
        except OSError as error:
            if self._is_readable:
                self._log.error("cannot read the %s %s: %s", self._what, self._path, error.strerror)
            self._is_readable = False
            return None
        self._is_readable = True
        seen = self._seen
        changed = frozenset(path for path, now in files.items() if seen.get(path) != now)
        return FolderChanges(files, changed, frozenset(seen.keys() - files.keys()))

    def remember(self, changes: FolderChanges) -> None:
        """Compare with these files from now on. Call it when they have been read."""
        self._seen = changes.files


def _signature(path: Path) -> Signature | None:
    try:
        return signature_of(path)
    except OSError:
        return None
