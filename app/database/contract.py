"""The Databases contract: statements of one transaction, bounded in time, with failures named.

Databases are known by the names that ``services.yaml`` gives them. A transaction has a connection
of its own. What it changed counts when it was committed, and never otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from app.language.sql import Statement


@dataclass(frozen=True, slots=True)
class Query:
    """One statement and its values. ``max_rows`` bounds what is read of its result.

    ``values`` are JSON values by the names of the statement's parameters; a list becomes as
    many parameters, and is not empty.
    """

    statement: Statement
    values: Mapping[str, Any]
    max_rows: int


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a statement gave: rows of JSON values, or the number of rows that it changed.

    ``columns`` is ``None`` for a statement that has no rows. ``rows`` holds one more than
    ``max_rows`` when there were more. ``count`` is 0 where the database does not say.
    """

    columns: tuple[str, ...] | None
    rows: list[tuple[Any, ...]]
    count: int


@dataclass(frozen=True, slots=True)
class TransactionOptions:
    """How a transaction is carried out. ``seconds_left`` is asked before each statement."""

    seconds_left: Callable[[], float]
    undoable: bool = False
    """The block may raise after its first statement, which then has to be undone."""
    forgiving: bool = False
    """The transaction may go on after a statement that failed; that one changes nothing."""


class DatabaseError(Exception):
    """A statement failed, and has changed nothing. ``kind`` is the kind of the step's error.

    ``connection``  refused, unreachable, wrong password, lost before the transaction was committed
    ``timeout``     it did not end in the time it was given
    ``conflict``    a deadlock or a clash with another transaction: it may work the next time
    ``integrity``   a key, a reference or a rule of the database forbids it
    ``sql``         everything else; also a commit of which it is unknown whether it was done
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class DatabaseSession(Protocol):
    """A transaction under way."""

    def run(self, query: Query) -> QueryResult:
        """Carry out one statement.

        Raises:
            DatabaseError: it failed.
        """


class Databases(Protocol):
    """The databases of this process; safe to use from many threads or greenlets at once."""

    def session(
        self, name: str | None, options: TransactionOptions
    ) -> AbstractContextManager[DatabaseSession]:
        """A transaction: committed when the block ends, rolled back when it raises.

        ``name`` may be ``None`` where one database is declared.

        Raises:
            DatabaseError: there is no connection in time, or the commit failed.
        """


class NoDatabases:
    """Where nothing is declared."""

    def session(
        self, name: str | None, options: TransactionOptions
    ) -> AbstractContextManager[DatabaseSession]:
        """See :class:`Databases`; always an error."""
        raise DatabaseError("sql", f"there is no database {f'`{name}`' if name else ''} here")
