"""A stored run of a flow: its states, and how it moves from one to the next.

``INIT`` (accepted) → ``RUNNING`` (claimed, by one owner) → ``FINISH`` or ``ABORT``. Nothing leaves
a terminal state. A run that has not ended is also either *queued*, which means that it waits for a
claim, or executed by its ``owner``. Other processes notice when an owner dies, and queue its runs
again; the status stays, so a run never goes back to ``INIT``.

Every move is one compare-and-set in the store. What is compared is a :class:`Claim`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The state of a run, in the words of Juggle's open API."""

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
    """A new id of a run for a flow of this mode; ``token_bytes`` is ``secrets.token_bytes``."""
    text = b""
    while len(text) < 16:
        text += token_bytes(24).translate(_TABLE, _BIASED)
    return f"{mode}_{text[:16].decode()}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: ``result`` is the outputs as JSON text, or the failure as code and text.

    ``reason`` is the stable word for an ``ABORT`` (see :mod:`app.errors`).

    Raises:
        ValueError: ``status`` is not terminal.
    """

    status: Status
    result: str | None = None
    error_code: int = 0
    error_message: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if not self.status.is_terminal:
            raise ValueError(f"a run cannot end as {self.status}")


@dataclass(frozen=True, slots=True)
class Claim:
    """The owner, attempt and queued flag last read; compared on every update."""

    run_id: str
    owner: str
    attempt: int
    queued: bool = False


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Times are seconds since the epoch; ``payload`` is JSON text, opaque to a store.

    ``payload`` holds what a run needs to start (inputs, request). ``source`` names the text of the
    flow file that accepted it. ``owner`` is the process that has queued or executes it, or
    empty where a broker has it. ``attempt`` counts claims, ``crashes`` those whose owner died.
    """

    id: str
    flow_key: str
    flow_version: str
    status: Status
    created_at: float
    payload: str | None
    source: str = ""
    owner: str = ""
    queued: bool = True
    attempt: int = 0
    crashes: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None

    @property
    def claim(self) -> Claim:
        """What a compare-and-set compares with."""
        return Claim(self.id, self.owner, self.attempt, self.queued)
