"""The envelope: exactly four keys, always JSON text, whatever happened."""

from __future__ import annotations

from typing import Any

from app.runs.runner import TriggerResult
from app.strict_json import dumps


def success(result: str) -> str:
    """A result, given as JSON text."""
    return f'{{"success":true,"errorCode":0,"errorMsg":null,"result":{result}}}'


def failure(code: int, message: str, result: Any = None) -> str:
    """A failure. ``message`` is read by the caller: no secret, no traceback."""
    # A message may quote what was sent, and that may hold half a character.
    text = message.encode("utf-8", "replace").decode()
    return dumps({"success": False, "errorCode": code, "errorMsg": text, "result": result})


def triggered(answer: TriggerResult) -> str:
    """The answer to a trigger; a run that failed still names its instance."""
    result = {
        "flowInstanceId": answer.run_id,
        "status": answer.status,
        "data": answer.data,
    }
    if answer.error is not None:
        return failure(answer.error.code, answer.error.public, result)
    return success(dumps(result))
