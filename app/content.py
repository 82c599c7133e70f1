"""The content of an HTTP message: bytes, or a value that becomes bytes where a wire needs them.

Between two parts of one process nothing is written only to be read again: a call that stays in
this process hands over the value itself. ``bytes(content)`` is what would go over a wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app import form_text
from app.json_text import dumps


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value. It is shared, so nobody may change it."""

    value: Any

    def __bytes__(self) -> bytes:
        return dumps(self.value).encode()


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form in their order; a name may stand several times."""

    pairs: list[tuple[str, str]]

    def __bytes__(self) -> bytes:
        return form_text.encode(self.pairs).encode()


Content = bytes | Json | Form
