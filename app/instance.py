"""The Instance record: one run of a flow, its states, and the transitions that are legal.

``INIT`` (accepted) → ``RUNNING`` (somebody executes it) → ``FINISH`` or ``ABORT``. Nothing leaves a
terminal state, and only :meth:`app.store.Store.claim` makes a run ``RUNNING``, so one run is
executed by one worker only.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Where a run stands, in the words of Juggle's open API."""

    INIT = "INIT"
    RUNNING = "RUNNING"
    FINISH = "FINISH"
    ABORT = "ABORT"

    @property
    def is_terminal(self) -> bool:
        return self in (Status.FINISH, Status.ABORT)


ID_PATTERN = re.compile(r"(?:sync|async)_[A-Za-z0-9]{16}")
"""``sync_`` or ``async_`` and 16 characters (the contract of ``docs/open-api.md``)."""


_CHARACTERS = string.ascii_letters + string.digits
_TABLE = bytes(ord(_CHARACTERS[byte % 62]) for byte in range(256))
_BIASED = bytes(range(248, 256))
"""Byte values past the last whole multiple of 62: dropped, so that every character is as likely."""


def new_id(mode: str, token_bytes: Callable[[int], bytes]) -> str:
    """A new instance id for a flow of this mode; ``token_bytes`` is ``secrets.token_bytes``."""
    text = b""
    while len(text) < 16:
        text += token_bytes(24).translate(_TABLE, _BIASED)
    return f"{mode}_{text[:16].decode()}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: ``result`` is the outputs as JSON text, or the failure as code and text.

    Raises:
        ValueError: ``status`` is not terminal.
    """

    status: Status
    result: str | None = None
    error_code: int = 0
    error_message: str | None = None

    def __post_init__(self) -> None:
        if not self.status.is_terminal:
            raise ValueError(f"a run cannot end as {self.status}")


@dataclass(frozen=True, slots=True)
class Instance:
    """One run. Times are seconds since the epoch; ``payload`` is JSON text, opaque to a store.

    ``payload`` holds what a run needs to start (inputs, request) and is dropped when it ends.
    """

    id: str
    flow_key: str
    flow_version: str
    status: Status
    created_at: float
    payload: str | None
    started_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
