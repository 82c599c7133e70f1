"""The tokens file: its record, how it is read and checked, how it is replaced.

It is YAML, written by ``siteswap tokens`` and fit to be edited by hand::

    tokens:
      - name: crm
        sha256: 4b3f…                          # 64 hex digits, of the token
        created: '2026-01-31T12:00:00+00:00'
        flows: [order_*, sync_example]         # left out: every flow
        expires: '2026-12-31T00:00:00+00:00'   # left out: never

No message made here repeats a value of the file: somebody may have put a token where its digest
belongs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from marshmallow import Schema, ValidationError, fields, validate

from app.errors import SiteswapError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A token's name: it stands in log lines and tables, so it is short and plain."""

PATTERN = re.compile(r"[A-Za-z0-9_*?\[\]!-]{1,64}")
"""A shell pattern over flow keys: the characters of a key, and ``* ? [ ] !``."""

HEADER = """\
# Who may call flows. Kept by `siteswap tokens new|list|revoke`, which drops comments of your own.
# `sha256` is the digest of a token, never the token itself.
"""
MAX_BYTES = 1_000_000


class TokenError(SiteswapError):
    """The tokens file, or what was asked of it, is wrong; the message says what to do."""

    words = "Token error"
    words_en = ""


@dataclass(frozen=True, slots=True)
class Token:
    """One named token; times are seconds since the epoch. No ``flows`` means every flow."""

    name: str
    sha256: str
    flows: tuple[str, ...] = ()
    created: float | None = None
    expires: float | None = None
    inline: bool = False
    """It comes from the environment, not from the file."""

    def is_expired(self, now: float) -> bool:
        return self.expires is not None and now >= self.expires


def read_tokens(text: bytes) -> tuple[Token, ...]:
    """The tokens of a file's content.

    Raises:
        TokenError: with a line for each mistake.
    """
    document = _parse(text)
    if document in (None, "", {"tokens": ""}):
        return ()
    try:
        tokens = tuple(Token(**entry) for entry in _FileSchema().load(document)["tokens"])
    except ValidationError as error:
        raise TokenError("\n".join(_sentences(error.messages))) from None
    for key in ("name", "sha256"):
        if (twice := _repeated([getattr(token, key) for token in tokens])) is not None:
            raise TokenError(f"token {twice + 1} has the same {key} as one before it")
    return tokens


def write_tokens(path: Path, tokens: Sequence[Token]) -> None:
    """Replace the file at once: a reader sees the old content or the new, never a part.

    Raises:
        OSError: nothing has changed then.
    """
    target = Path(os.path.realpath(path))
    # mkstemp makes the file with mode 0600.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(_dump(tokens))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(target.parent)


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold off every other writer of this file, in this process or another.

    The folder is locked, not the file: the file is another one after each write.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def parse_moment(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 date or date-time; UTC unless it says otherwise.

    A date alone means the end of that day: what expires on the 31st still works on the 31st.

    Raises:
        ValueError: it is neither.
    """
    moment = datetime.fromisoformat(text)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        moment += timedelta(days=1)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def format_moment(seconds: float) -> str:
    """ISO 8601 in UTC, to the second: what :func:`parse_moment` reads."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


class _Moment(fields.Field[float]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        try:
            return parse_moment(value)
        except (TypeError, ValueError, OverflowError):
            raise ValidationError("is not a date such as 2026-12-31T00:00:00Z") from None


class _Flows(fields.Field[tuple[str, ...]]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(
            isinstance(item, str) and PATTERN.fullmatch(item) for item in value
        ):
            raise ValidationError("is not a list of flow keys or patterns such as [order_*]")
        return tuple(value)


_REQUIRED: dict[str, Any] = {
    "required": "is missing",
    "invalid": "is not text",
    "null": "is missing",
}


class _TokenSchema(Schema):
    error_messages = {  # noqa: RUF012  (marshmallow declares it so)
        "unknown": "is not a key of a token",
        "type": "is not a mapping",
    }

    name = fields.String(
        required=True,
        error_messages=_REQUIRED,
        validate=validate.Regexp(rf"{NAME.pattern}\Z", error="is not a name such as crm or ci-2"),
    )
    sha256 = fields.String(
        required=True,
        error_messages=_REQUIRED,
        validate=validate.Regexp(
            r"[0-9a-f]{64}\Z", error="is not the 64 hex digits of a token's SHA-256"
        ),
    )
    flows = _Flows()
    created = _Moment()
    expires = _Moment()


class _FileSchema(Schema):
    error_messages = {  # noqa: RUF012  (marshmallow declares it so)
        "unknown": "is not a key of this file; it has one, tokens",
        "type": "is not a mapping with the key tokens",
    }

    tokens = fields.List(
        fields.Nested(_TokenSchema),
        required=True,
        error_messages={"required": "has no key tokens", "invalid": "is not a list of tokens"},
    )


def _parse(text: bytes) -> Any:
    if len(text) > MAX_BYTES:
        raise TokenError(f"the file is larger than {MAX_BYTES} bytes")
    try:
        # BaseLoader makes text, lists and mappings only: a digest of digits alone stays text.
        # Not CBaseLoader: deep nesting ends the whole process there.
        return yaml.load(text.decode("utf-8-sig"), Loader=yaml.BaseLoader)
    except UnicodeDecodeError:
        raise TokenError("the file is not UTF-8") from None
    except yaml.YAMLError as error:
        # Not str(error), which quotes the file.
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise TokenError(f"{where}this is not YAML; quote what has special characters") from None
    except RecursionError:
        raise TokenError("the file is nested too deep") from None


def _dump(tokens: Sequence[Token]) -> str:
    return HEADER + yaml.safe_dump({"tokens": [_entry(token) for token in tokens]}, sort_keys=False)


def _entry(token: Token) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": token.name, "sha256": token.sha256}
    if token.created is not None:
        entry["created"] = format_moment(token.created)
    if token.flows:
        entry["flows"] = list(token.flows)
    if token.expires is not None:
        entry["expires"] = format_moment(token.expires)
    return entry


def _sentences(messages: Any, path: str = "") -> Iterator[str]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _sentences(inner, f"{path}{_step(key)}")
    else:
        where = path.rstrip(", ") or "the file"
        yield from (f"{where} {message}" for message in messages)


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"token {key + 1}, "
    if key in ("_schema", "tokens"):
        return ""
    return f"{key}, " if re.fullmatch(r"[a-z0-9_]{1,20}", key) else "some key, "


def _repeated(values: Sequence[str]) -> int | None:
    return next((at for at, value in enumerate(values) if value in values[:at]), None)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
