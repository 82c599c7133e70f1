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
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What expressions can write after ``secrets.``"""

MAX_BYTES = 64 * 1024
"""Size of one secret that is read."""

MAX_FORMER = 1_000
"""Former values that are still masked."""

_Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it was read; without a value where it never held one."""

    signature: _Signature
    value: str = ""


class Secrets:
    """The secrets of this process, each as it was last read well.

    ``values`` is one immutable snapshot or the next. ``masked`` are those values and former ones:
    what was a secret a moment ago may still be on its way to somebody's eyes.
    """

    def __init__(
        self,
        given: Mapping[str, str] | None = None,
        folder: Path | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        """``given`` are those of the environment; they win over a file of the same name."""
        self._given = dict(given or {})
        self._folder = folder
        self._log = log or logging.getLogger(__name__)
        self._files: Mapping[str, _File] = {}
        self._is_readable = True
        self.values: Mapping[str, str] = {}
        self.masked: tuple[str, ...] = ()
        self._use(self._given)

    def refresh(self) -> bool:
        """Read new and changed files, forget removed ones; returns whether any secret changed."""
        if self._folder is None:
            return False
        try:
            found = dict(_secret_files(self._folder))
        except OSError as error:
            # A folder that is being remounted is no reason to forget what was in it.
            self._report_folder(error)
            return False
        self._is_readable = True
        before = self._files
        self._files = {
            name: before[name]
            if name in before and before[name].signature == signature
            else self._read(name, signature, before.get(name))
            for name, signature in found.items()
        }
        read = {name: file.value for name, file in self._files.items() if file.value}
        return self._use({**read, **self._given})

    def _use(self, values: dict[str, str]) -> bool:
        if values == self.values:
            return False
        self.values = values
        self.masked = tuple(dict.fromkeys([*values.values(), *self.masked]))[
            : len(values) + MAX_FORMER
        ]
        return True

    def _report_folder(self, error: OSError) -> None:
        """Say once that the folder cannot be read, until it can."""
        if self._is_readable:
            self._log.error("cannot read the secrets folder %s: %s", self._folder, error.strerror)
        self._is_readable = False

    def _read(self, name: str, signature: _Signature, before: _File | None) -> _File:
        """The file as it is now; one that cannot be read keeps the value it had."""
        path = (self._folder or Path()) / name
        try:
            value = _value(path, signature[1])
        except OSError as error:
            complaint = f"it cannot be read: {error.strerror}"
        except ValueError as error:
            complaint = str(error)
        else:
            if name in self._given:
                self._log.warning("%s is not used: SITESWAP_SECRET_%s is set", path, name)
            return _File(signature, value)
        self._log.warning("%s is no secret that flows can read: %s", path, complaint)
        return _File(signature, before.value if before else "")


def _value(path: Path, size: int) -> str:
    """The value in a file: UTF-8 text, without the one line end that editors add.

    Raises:
        ValueError: it cannot be used; the sentence holds nothing of the content.
        OSError: it cannot be read.
    """
    if not NAME.fullmatch(path.name):
        raise ValueError("a name holds letters, digits and _, and does not begin with a digit")
    if size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def _secret_files(folder: Path) -> Iterator[tuple[str, _Signature]]:
    with os.scandir(folder) as files:
        for file in files:
            if not file.name.startswith(".") and file.is_file():
                status = file.stat()
                yield file.name, (status.st_mtime_ns, status.st_size, status.st_ino)
