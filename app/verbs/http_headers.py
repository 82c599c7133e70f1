"""The headers of a request: values as text, and some headers over others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.language.url import text
from app.runtime.signals import StepError

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def over(below: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """Headers with others over them, as text; ``null`` leaves one out.

    Raises:
        StepError: kind ``request``; a value holds a control character.
    """
    replaced = {name.lower() for name in own}
    kept = {name: value for name, value in below.items() if name.lower() not in replaced}
    given = {**kept, **own}
    return {name: _written(name, value) for name, value in given.items() if value is not None}


def _written(name: str, value: Any) -> str:
    written = text(value)
    if _CONTROL.search(written):
        raise StepError("request", f"the header {name[:80]!r} holds a control character")
    return written
