"""Header fields as a transport gives them to the rest of the program."""

from __future__ import annotations

from collections.abc import Sequence

_BLANK = " \t"


def joined(fields: Sequence[Sequence[str]]) -> dict[str, str]:
    """Pairs of name and value → values by lower-case name, repeated ones joined with ``, ``."""
    headers = {name.lower(): value.rstrip(_BLANK) for name, value in fields}
    if len(headers) == len(fields):
        return headers
    lists: dict[str, list[str]] = {}
    for name, value in fields:
        lists.setdefault(name.lower(), []).append(value.rstrip(_BLANK))
    return {name: ", ".join(values) for name, values in lists.items()}
