"""How a run ends early, stops or waits. Only the engine and the verbs see these signals."""

from __future__ import annotations

from typing import Any

from app.http.message import Json, Response
from app.strict_json import JsonError, loads


class Signal(Exception):
    """Ends or redirects a run on purpose; ``on_error`` never sees it."""


class ReturnSignal(Signal):
    """The flow ends well, with these output values."""

    def __init__(self, outputs: dict[str, Any]) -> None:
        super().__init__("return")
        self.outputs = outputs


class FailSignal(Signal):
    """The flow ends badly because it says so."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class DeadlinePassed(Signal):
    """Time is up: for the step that has a ``timeout``, or for the whole flow."""

    def __init__(self, detail: str = "", step: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.step = step


class Interrupted(Signal):
    """The step had begun when its process died, and may not be run twice."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


class ClaimLost(Signal):
    """Another process has the run, or it has ended: what happens here does not count any more."""


class ShuttingDown(Signal):
    """The process shuts down: another one continues the run after its last finished step."""


class ReplayEnded(Signal):
    """The replay reached a step that the failed attempt never started."""


class Stopped(Signal):
    """A branch ends before its next step, because of what came of another one."""


class Suspended(Signal):
    """The run waits so long that it leaves its process; ``until`` is in seconds since the epoch."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


class StepError(Exception):
    """A step failed: what ``retry`` looks at and ``on_error`` may handle.

    ``kind`` is one of ``connection timeout status response redirect too_large request address
    expression output limit check sql integrity conflict python call fail``; ``integrity`` and
    ``conflict`` are a database's. ``step`` names the innermost step that failed; it is filled in by
    the interpreter. ``code`` is what the run ends with if nothing handles it.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        response: Response | None = None,
        retry_after: float | None = None,
        code: int = 1,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.response = response
        self.retry_after = retry_after
        self.code = code
        self.step: str | None = None

    @property
    def status(self) -> int | None:
        """The status of the answer, if there was one."""
        return self.response.status if self.response else None

    def as_value(self) -> dict[str, Any]:
        """What ``error`` holds inside ``on_error``."""
        return {
            "kind": self.kind,
            "message": self.message,
            "step": self.step,
            "status": self.status,
            "body": _readable(self.response),
            "code": self.code,
        }


def _readable(response: Response | None) -> Any:
    """The body of an answer, parsed if it is JSON and as text if not."""
    if response is None:
        return None
    if isinstance(response.body, Json):
        return response.body.value
    text = bytes(response.body).decode("utf-8", "replace")
    try:
        return loads(text) if "json" in response.headers.get("content-type", "") else text
    except JsonError:
        return text
