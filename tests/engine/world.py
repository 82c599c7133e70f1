"""A world for flows to run in: its time moves only when something waits, its answers are given."""

from __future__ import annotations

import logging
import textwrap
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

from app.catalog.loader import link, read_flow
from app.config.secrets import Secrets
from app.engine.interpreter import Interpreter
from app.http.message import Request, Response, TransportError
from app.language.environment import Environment
from app.language.inputs import coerce
from app.language.services.file import load_services
from app.language.services.service import Service
from app.python.contract import PythonCall, PythonResult, PythonRunner
from app.runtime.program import Program
from app.runtime.scope import Dependencies
from app.runtime.threads import ThreadPool
from app.runtime.trace import Trace

Answer = Response | TransportError | Callable[[Request], Response]


def json_answer(text: str, status: int = 200, **headers: str) -> Response:
    """A response with a JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": "application/json", **named}, text.encode())


def program(text: str, flows: Mapping[str, str] = MappingProxyType({})) -> Program:
    """The program of a flow given as text, and those it may call; they must have no errors."""
    drafts = [
        read_flow(PurePath(f"{name}.yaml"), textwrap.dedent(each))
        for name, each in {"test/v1": text, **flows}.items()
    ]
    linked = link(drafts, {}, Environment())
    for each in linked:
        assert each.program is not None, each.diagnostics
    assert linked[0].program
    return linked[0].program


class Gauge:
    """Counts the calls that are under way at once."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._changed = threading.Condition()

    def answer(self, _: Request) -> Response:
        """Wait a moment for company."""
        with self._changed:
            self._now += 1
            self.most = max(self.most, self._now)
            self._changed.notify_all()
            self._changed.wait(0.05)
            self._now -= 1
        return json_answer("{}")


def named_services(text: str) -> Mapping[str, Service]:
    """The services of a file given as text; it must have no errors."""
    loaded = load_services(Path(), textwrap.dedent(text), Environment())
    assert loaded.content is not None, loaded.diagnostics
    return loaded.content.services


class NoPython:
    """Runs no code."""

    def run(self, call: PythonCall) -> PythonResult:
        raise AssertionError(call)

    def close(self) -> None:
        pass


class World:
    """Tools whose clock, network and randomness are in the test's hands."""

    def __init__(
        self,
        answers: Iterable[Answer] = (),
        *,
        seconds_per_call: float = 0.0,
        secrets: dict[str, str] | None = None,
        env: dict[str, str] | None = None,
        services: str = "",
        concurrent: bool = False,
        flows: Mapping[str, str] = MappingProxyType({}),
        python: PythonRunner | None = None,
    ) -> None:
        """``services`` is the text of a ``services.yaml``."""
        self.time = 1000.0
        self.flows = flows
        self.waits: list[float] = []
        self.requests: list[Request] = []
        answers = iter(answers)
        self.answer: Callable[[Request], Answer] = lambda _: next(answers)
        self._seconds_per_call = seconds_per_call
        self.dependencies = Dependencies(
            transport=self,
            python=python or NoPython(),
            monotonic=lambda: self.time,
            sleep=self._sleep,
            random=lambda: 1.0,
            now=lambda: datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.time - 1000),
            uuid=lambda: "00000000-0000-4000-8000-000000000000",
            env=env or {},
            secrets=Secrets(secrets),
            max_response_bytes=1_000_000,
            thread_pool=ThreadPool(50 if concurrent else 0),
            log=logging.getLogger("app.flow"),
            service=named_services(services).get if services else lambda _: None,
        )

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    def send(self, request: Request) -> Response:
        """The next answer; a call that takes longer than its timeout times out."""
        self.requests.append(request)
        self.time += min(self._seconds_per_call, request.timeout)
        if self._seconds_per_call > request.timeout:
            raise TransportError("timeout", "timed out waiting for the answer")
        answer = self.answer(request)
        if isinstance(answer, TransportError):
            raise answer
        return answer(request) if callable(answer) else answer

    def gauge(self) -> Gauge:
        """Answers that take as long as nothing else comes, for a moment; how many were at once."""
        gauge = Gauge()
        self.answer = gauge.answer
        return gauge

    def run(self, text: str, trace: Trace | None = None, **given: Any) -> dict[str, Any]:
        """The outputs of one run of a flow given as text."""
        flow = program(text, self.flows)
        inputs = coerce(flow.flow.inputs, given)
        return Interpreter(self.dependencies).run(flow, inputs, {}, "sync_0123456789abcdef", trace)
