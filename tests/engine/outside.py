"""What programs reach outside: it answers by what it is asked, and tells what was done.

``/<run>/<kind>-<name>-<number>-<uuid>`` is what is asked, in a url, by code or as the value of a
statement. A ``clash`` is refused the first time; ``deferred`` is what a database finds out at
the commit.
"""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.database.contract import DatabaseError, Query, QueryResult, TransactionOptions
from app.http.message import Response
from app.python.contract import PythonCall, PythonFailure, PythonResult
from tests.engine.reference import answer

Hears = Callable[[str], None]
"""Told what was asked."""


def respond(step: str) -> Response:
    """The downstream."""
    status, body = answer(step)
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


class RefusedError(Exception):
    """What code raises that asks for something bad."""


class Code:
    """Runs code here, where it can call ``act``."""

    def __init__(self, done: Hears) -> None:
        self._done = done

    def run(self, call: PythonCall) -> PythonResult:
        names: dict[str, Any] = {"act": self._act}
        body = textwrap.indent(call.code, "    ")
        exec(f"def step({', '.join(call.data)}):\n{body}", names)
        try:
            return PythonResult(names["step"](**call.data))
        except RefusedError:
            return PythonResult(failure=PythonFailure("refused", line=1))

    def _act(self, what: str) -> Any:
        self._done(what)
        status, body = answer(what.rpartition("/")[2])
        if status != 200:
            raise RefusedError
        return body

    def close(self) -> None:
        pass


class Database:
    """A database. ``asked`` hears of each statement, ``done`` of those that were committed."""

    def __init__(self, asked: Hears, done: Hears) -> None:
        self._asked = asked
        self._done = done
        self._refused: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def session(self, name: str | None, options: TransactionOptions) -> Iterator[Statements]:
        statements = Statements(self, options)
        try:
            yield statements
        except BaseException:
            assert options.undoable or not statements.done
            raise
        if any("/deferred-" in what for what in statements.done):
            raise DatabaseError("integrity", "found out at the commit")
        for what in statements.done:
            self._done(what)

    def ask(self, what: str) -> int:
        """The number that is the answer."""
        self._asked(what)
        if "/clash-" in what and self._is_new(what):
            raise DatabaseError("conflict", "somebody else was first")
        status, body = answer(what.rpartition("/")[2])
        if status != 200:
            raise DatabaseError("sql", "refused")
        return int(body["n"])

    def _is_new(self, what: str) -> bool:
        with self._lock:
            is_new = what not in self._refused
            self._refused.add(what)
            return is_new


class Statements:
    """One transaction; ``done`` is what it has done so far."""

    def __init__(self, database: Database, options: TransactionOptions) -> None:
        self._database = database
        self._options = options
        self.done: list[str] = []
        self._has_failed = False

    def run(self, query: Query) -> QueryResult:
        assert self._options.forgiving or not self._has_failed
        what = query.values["what"]
        self._has_failed = True
        number = self._database.ask(what)
        self._has_failed = False
        self.done.append(what)
        is_read = query.statement.gives_rows
        return QueryResult(("n",), [(number,)], 1) if is_read else QueryResult(None, [], number)
