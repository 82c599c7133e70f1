"""The secrets flows may read: from the environment, and from a folder with one file for each.

Docker and Kubernetes mount such folders: the file's name is the secret's name, its content the
value. Kubernetes makes each file a link into a hidden folder and puts another folder in its place
when a secret changes, so links are followed and hidden names are passed over.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.config.watched import WatchedFolder

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What expressions can write after ``secrets.``"""

MAX_BYTES = 64 * 1024
"""Size of one secret that is read."""

MAX_FORMER = 1_000
"""Former values that are still masked."""


class Secrets:
    """The secrets of this process, each as it was when it could last be read.

    ``values`` is one immutable snapshot or the next. ``masked`` are those values and former ones:
    a run that read a secret before it changed may still show it.
    """

    def __init__(
        self,
        given: Mapping[str, str] | None = None,
        folder: Path | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        """``given`` are those of the environment; they win over a file of the same name."""
        self._given = dict(given or {})
        self._log = log or logging.getLogger(__name__)
        self._folder = (
            WatchedFolder(folder, _secret_files, self._log, what="secrets folder")
            if folder
            else None
        )
        self._read: dict[str, str] = {}
        self.values: Mapping[str, str] = {}
        self.masked: tuple[str, ...] = ()
        self._use(self._given)

    def refresh(self) -> bool:
        """Read new and changed files, forget removed ones; returns whether any secret changed."""
        changes = self._folder.changes() if self._folder else None
        if not self._folder or not changes:
            return False
        for path in map(Path, changes.changed):
            self._read_file(path)
        for path in map(Path, changes.gone):
            self._read.pop(path.name, None)
        self._folder.remember(changes)
        return self._use({**self._read, **self._given})

    def _use(self, values: dict[str, str]) -> bool:
        if values == self.values:
            return False
        self.values = values
        self.masked = tuple(dict.fromkeys([*values.values(), *self.masked]))[
            : len(values) + MAX_FORMER
        ]
        return True

    def _read_file(self, path: Path) -> None:
        """A file that cannot be read keeps the value it had; an empty one holds no secret."""
        try:
            value = _value(path)
        except OSError as error:
            self._warn(path, f"it cannot be read: {error.strerror}")
        except ValueError as error:
            self._warn(path, str(error))
        else:
            self._read.pop(path.name, None)
            if value:
                self._read[path.name] = value
            if path.name in self._given:
                self._log.warning("%s is not used: SITESWAP_SECRET_%s is set", path, path.name)

    def _warn(self, path: Path, why: str) -> None:
        self._log.warning("%s is no secret that flows can read: %s", path, why)


def _value(path: Path) -> str:
    """The value in a file: UTF-8 text, without the one line end that editors add.

    Raises:
        ValueError: it cannot be used; the sentence holds nothing of the content.
        OSError: it cannot be read.
    """
    if not NAME.fullmatch(path.name):
        raise ValueError("a name holds letters, digits and _, and does not begin with a digit")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def _secret_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as files:
        for file in files:
            if not file.name.startswith(".") and file.is_file():
                yield file
