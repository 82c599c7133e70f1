"""The Databases contract: statements of one transaction, bounded in time, with failures named.

Databases are known by the names that ``services.yaml`` gives them. A connection is borrowed for a
transaction and given back when it has ended; what a transaction did counts when it was committed,
and never otherwise.
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

    ``values`` are JSON values by the names of the statement's parameters; a list stands for as
    many values, and is not empty.
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
    """What a transaction is to be like. ``seconds_left`` is asked before each statement."""

    seconds_left: Callable[[], float]
    undoable: bool = False
    """The block may raise after its first statement, and that is to be undone then."""
    forgiving: bool = False
    """A statement that fails may be caught, and the transaction go on as if it had not been."""


class DatabaseError(Exception):
    """A statement failed, and has changed nothing. ``kind`` is a word for step errors.

    ``connection``  refused, unreachable, wrong password, lost before the transaction was committed
    ``timeout``     it did not end in the time it was given
    ``conflict``    a deadlock or a clash with another transaction: it may work the next time
    ``integrity``   a key, a reference or a rule of the database forbids it
    ``sql``         everything else; also a commit of which nobody knows whether it was done
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
        self, name: str | None, terms: TransactionOptions
    ) -> AbstractContextManager[DatabaseSession]:
        """A transaction: committed when the block ends, rolled back when it raises.

        ``name`` may be ``None`` where one database is declared.

        Raises:
            DatabaseError: no connection can be had, or the commit failed.
        """


class NoDatabases:
    """Where nothing is declared."""

    def session(
        self, name: str | None, terms: TransactionOptions
    ) -> AbstractContextManager[DatabaseSession]:
        """Never any."""
        raise DatabaseError("sql", f"there is no database {f'`{name}`' if name else ''} here")
