"""A world for flows to run in: its time moves only when something waits, its answers are given."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

from app.engine.compiler import Program, compile_flow
from app.engine.interpreter import Interpreter
from app.engine.scope import Tools
from app.engine.trace import Trace
from app.secret_files import Secrets
from app.spec.inputs import coerce
from app.spec.loader import load_flow
from app.spec.names import Surroundings
from app.spec.service import Service
from app.spec.services_file import load_services
from app.transport import Request, Response, TransportError

Answer = Response | TransportError | Callable[[Request], Response]


def json_answer(text: str, status: int = 200, **headers: str) -> Response:
    """A response with a JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": "application/json", **named}, text.encode())


def program(text: str) -> Program:
    """The program of a flow given as text; it must have no errors."""
    loaded = load_flow(PurePath("test/v1.yaml"), textwrap.dedent(text), Surroundings())
    assert loaded.flow is not None, loaded.findings
    return compile_flow(loaded.flow, textwrap.dedent(text))


def named_services(text: str) -> Mapping[str, Service]:
    """The services of a file given as text; it must have no errors."""
    loaded = load_services(Path(), textwrap.dedent(text), Surroundings())
    assert loaded.content is not None, loaded.findings
    return loaded.content.services


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
    ) -> None:
        """``services`` is the text of a ``services.yaml``."""
        self.time = 1000.0
        self.waits: list[float] = []
        self.requests: list[Request] = []
        self._answers = iter(answers)
        self._seconds_per_call = seconds_per_call
        self.tools = Tools(
            transport=self,
            monotonic=lambda: self.time,
            sleep=self._sleep,
            random=lambda: 1.0,
            now=lambda: datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.time - 1000),
            uuid=lambda: "00000000-0000-4000-8000-000000000000",
            env=env or {},
            secrets=Secrets(secrets),
            max_response_bytes=1_000_000,
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
        answer = next(self._answers)
        if isinstance(answer, TransportError):
            raise answer
        return answer(request) if callable(answer) else answer

    def run(self, text: str, trace: Trace | None = None, **given: Any) -> dict[str, Any]:
        """The outputs of one run of a flow given as text."""
        flow = program(text)
        inputs = coerce(flow.flow.inputs, given)
        return Interpreter(self.tools).run(flow, inputs, {}, "sync_0123456789abcdef", trace)
