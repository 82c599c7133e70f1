"""What a kind of database has to offer: an engine, its way to begin, its bounds and its errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from app.language.services.database import Location


@dataclass(frozen=True, slots=True)
class DriverFault:
    """What a driver's error means: a kind of :class:`app.database.contract.DatabaseError`, and its text."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """How connections are made. ``seconds_left`` is asked when one is: it is of whoever waits."""

    location: Location
    pool_size: int
    read_only: bool
    seconds_left: Callable[[], float]


class DatabaseKind(Protocol):
    """One kind of database, whose connections are in autocommit mode: we begin and end ourselves.

    Errors of the driver pass through all methods.
    """

    style: str
    """How the driver writes a parameter: ``:{}`` or ``%({})s``."""

    needs_begin: bool
    """Whether a statement alone is put into a transaction too, also when nothing follows. With a
    network between, only its commit can then be doubtful."""

    def engine(self, plan: ConnectionPlan) -> Engine:
        """An engine that opens connections when they are needed."""

    def begin(self, connection: Connection, seconds: float, *, read_only: bool) -> None:
        """Begin a transaction whose first statement may take ``seconds``."""

    def bound(self, connection: Connection, seconds: float) -> None:
        """Let the database end the next statement when it takes longer than ``seconds``."""

    def protect(self, connection: Connection) -> None:
        """Remember this point, if a statement that fails would take the transaction with it."""

    def recover(self, connection: Connection, fault: DriverFault) -> bool:
        """Go back to before the statement that failed; whether the transaction goes on."""

    def descriptor(self, raw: Any) -> int | None:
        """The file descriptor of a connection's socket, if it has one."""

    def fault(self, error: BaseException) -> DriverFault:
        """What an error of the driver means."""
