"""The types of inputs: what a caller sent becomes what a flow declared, or a sentence says why not.

A *reader* takes a JSON value, or text of a query string or form, and returns the typed value; it
raises :class:`InvalidValue` with the reason. Inside a flow every value is a JSON value: dates and
times are ISO 8601 text. The *JSON readers* take no text for anything else. An *output check* has
no limits: a flow decides its types itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar

from app.errors import InputIssue, InputsInvalid
from app.language.fields import describe
from app.language.flow import Input, Reader, Readers
from app.strict_json import JsonError, dumps, loads

MAX_INTEGER = 2**63 - 1
"""Whole numbers beyond 64 bits are refused: other systems could not read them back."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.{0,24}")
_LOST_PLUS = re.compile(r" (?=[0-9]{2}:?[0-9]{2}$)")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
MAX_ISSUES = 20
"""Issues of one value that are told; the others are counted."""

_UNTOLD = object()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ValueIssue:
    """One thing wrong in a value. ``path`` leads to it from the value: ``.address.zip``,
    ``[3].id``, or empty for the value itself. ``got`` is what was given.
    """

    wanted: str
    got: Any = _UNTOLD
    path: str = ""

    def sentence(self, mask: Callable[[str], str] = str) -> str:
        """What was expected and, shortened, what came; texts of it pass through ``mask`` before."""
        if self.got is _UNTOLD:
            return self.wanted
        got = mask(self.got) if isinstance(self.got, str) else self.got
        return f"{self.wanted}, got {describe(got)}"


class InvalidValue(ValueError):
    """A value is not of its declared type, or outside of its limits.

    ``issues`` are at most :data:`MAX_ISSUES`; there are ``more`` that they do not tell.
    """

    def __init__(self, issues: Sequence[ValueIssue], more: int = 0) -> None:
        super().__init__()
        self.issues = tuple(issues)
        self.more = more

    def __str__(self) -> str:
        return "; ".join(self.sentences())

    def sentences(self, mask: Callable[[str], str] = str) -> Iterator[str]:
        """A sentence for each of them, which begins with its path."""
        for each in self.issues:
            sentence = each.sentence(mask)
            yield f"{each.path}: {sentence}" if each.path else sentence
        if self.more:
            yield f"and {self.more} more"


def unfit(wanted: str, got: Any = _UNTOLD) -> InvalidValue:
    """The error for a value that is wrong as a whole."""
    return InvalidValue([ValueIssue(wanted, got)])


def read_parts(parts: Iterable[tuple[str | int, Callable[[], T]]]) -> list[T]:
    """What the parts of a list or an object are read as; a part is its key and its reader.

    Raises:
        InvalidValue: the issues of all parts, with their paths.
    """
    found: list[T] = []
    issues: list[ValueIssue] = []
    more = 0
    for key, read in parts:
        try:
            found.append(read())
        except InvalidValue as error:
            room = MAX_ISSUES - len(issues)
            step = _step(key)
            issues += [replace(each, path=step + each.path) for each in error.issues[:room]]
            more += error.more + max(0, len(error.issues) - room)
    if issues:
        raise InvalidValue(issues, more)
    return found


def _step(key: str | int) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{key if isinstance(key, int) else dumps(key)}]"


def coerce(inputs: Mapping[str, Input], given: Mapping[str, Any]) -> dict[str, Any]:
    """The typed inputs of a run; undeclared names are left out.

    Raises:
        InputsInvalid: every missing or wrong input, each with its name.
    """
    values: dict[str, Any] = {}
    issues: list[InputIssue] = []
    for name, spec in inputs.items():
        value = given.get(name)
        if value == "" and spec.type != "string":
            value = None
        try:
            values[name] = read(spec, value, READERS)
        except InvalidValue as error:
            issues += _issues(name, error)
    if issues:
        raise InputsInvalid(issues)
    return values


def _issues(name: str, error: InvalidValue) -> Iterator[InputIssue]:
    for each in error.issues:
        yield InputIssue(name + each.path, each.sentence())
    if error.more:
        yield InputIssue(name, f"and {error.more} more")


def read(spec: Input, value: Any, readers: Readers) -> Any:
    """The value as what was declared, or the default where there is none.

    Raises:
        InvalidValue: everything that is wrong with it; of a secret only that it is.
    """
    if value is None:
        if spec.required:
            raise unfit(f"missing; expected {article(spec.type)}")
        return spec.default
    try:
        return spec.read(value, readers)
    except InvalidValue:
        if spec.secret:
            raise unfit(f"expected {article(spec.type)}") from None
        raise


def article(type_name: str) -> str:
    """``an integer``, ``a number``, ``text``: the type in a sentence."""
    if type_name == "string":
        return "text"
    return f"{'an' if type_name[0] in 'aeiou' else 'a'} {type_name}"


def _wrong(type_name: str, value: Any) -> InvalidValue:
    return unfit(f"expected {article(type_name)}", value)


def read_string(value: Any) -> str:
    """Text; a JSON number or boolean is written as JSON writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        try:
            return dumps(value)
        except JsonError:
            pass
    raise _wrong("string", value)


def read_integer(value: Any) -> int:
    """A whole number of at most 64 bits; ``"42"`` and ``42.0`` count."""
    if isinstance(value, str) and _INTEGER.fullmatch(text := value.strip()):
        value = int(text)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong("integer", value)
    if abs(value) > MAX_INTEGER:
        raise unfit("expected an integer of at most 64 bits")
    return value


def read_number(value: Any) -> int | float:
    """A number; ``"1000.00"`` counts, ``NaN`` and infinities do not."""
    if isinstance(value, str) and _NUMBER.fullmatch(text := value.strip()):
        value = int(text) if _INTEGER.fullmatch(text) else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong("number", value)
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise unfit("expected a whole number of at most 64 bits")
    if not math.isfinite(value):
        raise unfit("expected a finite number")
    return value


def read_boolean(value: Any) -> bool:
    """``true``/``false``, also as text in any case, and ``1``/``0``."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    if isinstance(value, str) and (word := value.strip().lower()) in _FLAGS:
        return _FLAGS[word]
    raise _wrong("boolean", value)


def read_date(value: Any) -> str:
    """``2026-11-23``."""
    if isinstance(value, str) and _DATE.fullmatch(text := value.strip()):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            pass
    raise unfit("expected a date like 2026-11-23", value)


def read_datetime(value: Any) -> str:
    """``2026-11-23T20:07:40Z``, in any offset or none, as ISO 8601 text."""
    if isinstance(value, str) and _DATETIME.fullmatch(text := value.strip()):
        # A "+" in a query string that was not percent-encoded arrives as a space.
        whole = text[:11] + _LOST_PLUS.sub("+", text[11:])
        try:
            moment = datetime.fromisoformat(whole).isoformat()
        except ValueError:
            pass
        else:
            return f"{moment[:-6]}Z" if moment.endswith("+00:00") else moment
    raise unfit("expected a time like 2026-11-23T20:07:40Z", value)


def read_list(value: Any) -> list[Any]:
    """A JSON list, JSON text of one, or a parameter that is given once or several times."""
    if isinstance(value, str):
        value = _from_text("list", value) if value.lstrip().startswith("[") else [value]
    if not isinstance(value, list):
        raise _wrong("list", value)
    return value


def read_object(value: Any) -> dict[str, Any]:
    """A JSON object, or JSON text of one."""
    if isinstance(value, str):
        value = _from_text("object", value)
    if not isinstance(value, dict):
        raise _wrong("object", value)
    return value


def _from_text(type_name: str, text: str) -> Any:
    try:
        return loads(text)
    except JsonError as error:
        raise unfit(f"expected {article(type_name)} as JSON: {error}") from None


READERS: Readers = {
    "string": read_string,
    "integer": read_integer,
    "number": read_number,
    "boolean": read_boolean,
    "date": read_date,
    "datetime": read_datetime,
    "list": read_list,
    "object": read_object,
}
TYPES = tuple(READERS)

_FORMS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
    "date": (str,),
    "datetime": (str,),
    "list": (list,),
    "object": (dict,),
}
"""What a value of a type is in JSON."""


def _json_reader(type_name: str, reader: Reader) -> Reader:
    forms, is_boolean = _FORMS[type_name], type_name == "boolean"

    def read_json(value: Any) -> Any:
        if not isinstance(value, forms) or isinstance(value, bool) is not is_boolean:
            raise _wrong(type_name, value)
        return reader(value)

    return read_json


JSON_READERS: Readers = {name: _json_reader(name, reader) for name, reader in READERS.items()}
"""The same types for values that are JSON already: the text ``"5"`` is no integer."""


def check_output(type_name: str, value: Any) -> Any:
    """The value of an output, ``null`` included.

    Raises:
        ValueError: it is not of the declared type; the sentence says what it is.
    """
    if value is None:
        return None
    if type_name in ("date", "datetime"):
        return READERS[type_name](value)
    wrong_bool = isinstance(value, bool) and type_name != "boolean"
    if wrong_bool or not isinstance(value, _FORMS[type_name]):
        raise _wrong(type_name, value)
    if type_name == "integer" and isinstance(value, float):
        if not value.is_integer():
            raise _wrong(type_name, value)
        return int(value)
    return value
