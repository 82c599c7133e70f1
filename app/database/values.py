"""Values of a database as JSON values."""

from __future__ import annotations

import base64
import ipaddress as ip
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID


class UnreadableValueError(ValueError):
    """A value that JSON has no form for; the text says why, in words that follow its name."""


def json_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows with JSON values.

    Raises:
        UnreadableValueError: a value has no form in JSON; it names the column.
    """
    return [tuple(map(_named, columns, row)) for row in rows]


def _named(column: str, value: Any) -> Any:
    try:
        return json_value(value)
    except UnreadableValueError as error:
        raise UnreadableValueError(f"column `{column}` {error}") from None


def json_value(value: Any) -> Any:
    """A number, text, list … for what a driver gives.

    Raises:
        UnreadableValueError: there is none.
    """
    converter = _CONVERTERS.get(type(value))
    if converter is None:
        message = f"is of the type {type(value).__name__}, which JSON does not have"
        raise UnreadableValueError(f"{message}: let the database write it as text, with CAST")
    return converter(value)


def _same(value: Any) -> Any:
    return value


def _float(value: float) -> float:
    if math.isfinite(value):
        return value
    raise UnreadableValueError(f"holds {value}, which is not a number in JSON")


def _decimal(value: Decimal) -> int | float:
    if not value.is_finite():
        raise UnreadableValueError(f"holds {value}, which is not a number in JSON")
    return int(value) if value == value.to_integral_value() else float(value)


def _duration(value: timedelta) -> str:
    """``12:30:00``, also with more than 24 hours; a type that some databases have for times."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(value // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06d}" if value.microseconds else ""
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(value).decode("ascii")


def _list(value: Sequence[Any]) -> list[Any]:
    return [json_value(item) for item in value]


def _object(value: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): json_value(item) for key, item in value.items()}


_CONVERTERS: Mapping[type, Callable[[Any], Any]] = {
    type(None): _same, bool: _same, int: _same, str: _same,
    float: _float, Decimal: _decimal,
    date: date.isoformat, datetime: datetime.isoformat, time: time.isoformat, timedelta: _duration,
    bytes: _bytes, bytearray: _bytes, memoryview: _bytes,
    list: _list, tuple: _list, dict: _object,
    **dict.fromkeys((UUID, ip.IPv4Address, ip.IPv4Interface, ip.IPv4Network,
                     ip.IPv6Address, ip.IPv6Interface, ip.IPv6Network), str),
}  # fmt: skip
